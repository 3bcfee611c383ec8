/** What the agent shows in place of a value of `env`; in what is planned it keeps the value that there is. */
export const hiddenMark = '***';
