/** What the command's exit status says, so that a script can ask without reading the text. */
export const ExitStatus = {
  /** The answer is yes; or there was no question, and it was done. */
  yes: 0,
  no: 1,
  /** The question could not be understood or asked. */
  failure: 2,
  /** What would decide could not be read or evaluated. */
  unknown: 3,
} as const;

export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];
