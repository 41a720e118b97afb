/** Something the person typed cannot be done: the message names the value met and the remedy. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
