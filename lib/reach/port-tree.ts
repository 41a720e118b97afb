import type { PortQuestion, PortWatch } from './nftables/port-watch.js';

interface Node<Value> {
  /** What is asked next; `null` where nothing more is. */
  question: PortQuestion | null;
  readonly byAnswer: Map<unknown, Node<Value>>;
  value: Value | undefined;
}

/**
 * What came of asking for some ports, by what rules ask of them: the first question is the same for
 * every port, and each next one follows from the answers before.
 */
export class PortTree<Value> {
  readonly #root: Node<Value> = newNode();

  /** What holds for this port too; `undefined` where no port like it was asked for. */
  find(port: number): Value | undefined {
    let node: Node<Value> | undefined = this.#root;
    while (node?.question) node = node.byAnswer.get(node.question.answer(port));
    return node?.value;
  }

  /** Keeps what came of asking for the port of a watch. */
  add({ port, questions, isBlurred }: PortWatch, value: Value): void {
    if (isBlurred) return;
    let node = this.#root;
    for (const question of questions) {
      if (node.value !== undefined) return;
      node.question ??= question;
      if (node.question !== question) return;
      const answer = question.answer(port);
      const next = node.byAnswer.get(answer) ?? newNode<Value>();
      node.byAnswer.set(answer, next);
      node = next;
    }
    if (node.question === null) node.value = value;
  }
}

function newNode<Value>(): Node<Value> {
  return { question: null, byAnswer: new Map(), value: undefined };
}
