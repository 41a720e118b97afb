/** Something that rules ask of a port: ports with one answer fare alike as far as this goes. */
export interface PortQuestion {
  answer(port: number): unknown;
}

/**
 * What rules asked of the port that is asked for, while flows to it were followed. To ask for another
 * port is the same where each of these questions has the same answer for it, in the order in which
 * they came up.
 */
export class PortWatch {
  readonly questions = new Set<PortQuestion>();
  /** Something was made of the port that is no such question. */
  isBlurred = false;

  constructor(readonly port: number) {}

  asks(question: PortQuestion): void {
    this.questions.add(question);
  }

  blur(): void {
    this.isBlurred = true;
  }
}
