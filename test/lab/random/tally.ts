import type { ScenarioResult } from './hold.js';
import { families, type Scenario, type ScenarioFamily } from './scenario.js';

interface Sum {
  seeds: number;
  flows: number;
  agrees: number;
  wrong: number;
  unknown: number;
  elsewhere: number;
  lines: number;
  refused: number;
}

/** Counts what scenarios gave, by family, and why some flows could not be compared. */
export class Tally {
  readonly #sums = new Map<ScenarioFamily, Sum>();
  readonly #reasons = new Map<string, number>();
  readonly #started = performance.now();

  add({ family, ip }: Scenario, { held, refused }: ScenarioResult): void {
    const sum = this.#sums.get(family) ?? { ...nothing };
    this.#sums.set(family, sum);
    sum.seeds++;
    sum.lines += ip.length;
    sum.refused += refused.length;
    for (const { judgement, about } of held) {
      sum.flows++;
      sum[judgement]++;
      if (judgement === 'agrees') continue;
      const reason = `${judgement}: ${about}`;
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1);
    }
  }

  get total(): Sum {
    const total = { ...nothing };
    for (const sum of this.#sums.values())
      for (const key of Object.keys(total) as (keyof Sum)[]) total[key] += sum[key];
    return total;
  }

  /** A table by family, the reasons, and the speed. */
  toString(): string {
    const rows = families.flatMap((family): [string, Sum][] => {
      const sum = this.#sums.get(family);
      return sum ? [[family, sum]] : [];
    });
    const seconds = (performance.now() - this.#started) / 1000;
    const { total } = this;
    return [
      line('family', Object.keys(nothing)),
      ...[...rows, ['all', total] as const].map(([family, sum]) =>
        line(family, Object.values(sum)),
      ),
      ...[...this.#reasons]
        .sort(([, one], [, other]) => other - one)
        .map(([reason, count]) => `${String(count).padStart(7)} ${reason}`),
      `${(total.flows / seconds).toFixed(0)} flows/s, ${seconds.toFixed(1)} s`,
    ].join('\n');
  }
}

const nothing: Sum = {
  seeds: 0,
  flows: 0,
  agrees: 0,
  wrong: 0,
  unknown: 0,
  elsewhere: 0,
  lines: 0,
  refused: 0,
};

function line(first: string, columns: readonly (string | number)[]): string {
  return [first.padEnd(10), ...columns.map((column) => String(column).padStart(10))].join('');
}
