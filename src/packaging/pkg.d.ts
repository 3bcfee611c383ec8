/** The single-executable half of the packager, for which it ships no types. */
declare module '@yao-pkg/pkg/lib-es5/sea.js' {
  interface SeaOptions {
    /** The Node to build on, in place of a download. */
    readonly nodePath: string;
    readonly targets: readonly {
      readonly output: string;
      readonly nodeRange: string;
      readonly platform: string;
      readonly arch: string;
    }[];
    /** Passed on to Node: https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html */
    readonly seaConfig: Readonly<Record<string, unknown>>;
  }
  const packager: { default(entry: string, options: SeaOptions): Promise<void> };
  export default packager;
}
