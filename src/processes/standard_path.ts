/** Where every Unix system keeps its programs. */
export const standardDirectories: readonly string[] = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
];

/** These directories as the value of PATH. */
export const standardPath = standardDirectories.join(':');
