import type { Scenario } from '../random/scenario.js';
import type { HeldRemedies, HeldRemedy } from './hold.js';

/** Counts remedies that were carried out, by the cause that they are for. */
export class RemedyTally {
  hosts = 0;
  cases = 0;
  remedies = 0;
  faults = 0;
  readonly #byCause = new Map<string, { remedies: number; faults: number; without: number }>();
  readonly #byFamily = new Map<string, number>();

  add({ family }: Scenario, { held, cases, without }: HeldRemedies): void {
    this.hosts++;
    this.cases += cases;
    this.#byFamily.set(family, (this.#byFamily.get(family) ?? 0) + cases);
    for (const { verdict, fault } of held) {
      const sum = this.#of(verdict.cause?.code ?? 'reachable');
      this.remedies++;
      sum.remedies++;
      if (fault === null) continue;
      this.faults++;
      sum.faults++;
    }
    for (const { verdict } of without) this.#of(verdict.cause?.code ?? 'reachable').without++;
  }

  #of(cause: string) {
    const sum = this.#byCause.get(cause) ?? { remedies: 0, faults: 0, without: 0 };
    this.#byCause.set(cause, sum);
    return sum;
  }

  toString(): string {
    const causes = [...this.#byCause].sort(([one], [other]) => one.localeCompare(other));
    return [
      `${this.hosts} hosts, ${this.cases} flows, ${this.remedies} remedies carried out, ${this.faults} did not help`,
      [...this.#byFamily].map(([family, cases]) => `${family} ${cases}`).join(', '),
      ...causes.map(
        ([cause, { remedies, faults, without }]) =>
          `${cause.padEnd(26)} ${String(remedies).padStart(6)} carried out ${String(faults).padStart(4)} did not help ${String(without).padStart(6)} flows without`,
      ),
    ].join('\n');
  }
}

/** One remedy and what came of it. */
export function remedyInOneLine({ seed, family }: Scenario, held: HeldRemedy): string {
  const { asked, verdict, summary, command, fault, flow } = held;
  return [
    `seed ${seed} (${family}): ${flow.protocol} from ${flow.from} ${asked.source?.address ?? ''} on ${asked.ingress} to ${asked.destination.address} port ${asked.destination.port}: ${verdict.cause?.code ?? 'reachable'}`,
    `  ${verdict.explanation}`,
    `  ${summary}`,
    `  ${command}`,
    `  ${fault ?? 'helps'}`,
  ].join('\n');
}
