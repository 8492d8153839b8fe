/** How many connections the system's limit of open files allows a proxy. */

/** A client's connection and its server's. While a switch is prepared a third is opened beside them. */
const FILES_OF_A_SESSION = 2;
/** The program's own, control connections and clients that are on their way. */
const FILES_BESIDE = 100;

/** Of this process; Infinity where there is no limit. Node has raised the soft limit to the hard one. */
export function openFilesAllowed(): number {
  // Otherwise the report looks the names of all its peers up.
  Object.assign(process.report, { excludeNetwork: true });
  const { userLimits } = process.report.getReport() as {
    readonly userLimits?: { readonly open_files?: { readonly soft?: unknown } };
  };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}

/** Beyond these a client would be cut off without a word, and no command could reach the proxy. */
export const sessionsWithin = (openFiles: number): number =>
  Math.max(1, Math.floor((openFiles - FILES_BESIDE) / FILES_OF_A_SESSION));

export const hasNoFileLeft = (error: unknown): boolean =>
  ['EMFILE', 'ENFILE'].includes((error as NodeJS.ErrnoException).code ?? '');

export const RAISE_OPEN_FILES =
  'Raise its limit of open files (ulimit -n, LimitNOFILE=) to three for each session, and start it again';
