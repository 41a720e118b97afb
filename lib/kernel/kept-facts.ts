import { checkOneOf } from '../model/arguments.js';
import type { ExtendedFacts, TcpNumber } from '../model/extended.js';
import type { SocketTableData } from '../model/socket-columns.js';
import type { FactsByRow } from '../model/socket-table.js';
import { extendedFacts, messageOf, tcpInfoBytes } from './extended.js';
import { TCP_NUMBERS, tcpNumber } from './tcp-info.js';

/** What the kernel told of each row beside the columns, decoded when it is asked for. */
export class KeptFacts implements FactsByRow {
  readonly #length: number;
  readonly #kept: { bytes: Uint8Array; ends: Uint32Array };

  constructor({ columns, messages, messageEnds }: SocketTableData) {
    this.#length = columns.length;
    this.#kept = { bytes: messages ?? new Uint8Array(0), ends: messageEnds ?? new Uint32Array(0) };
  }

  at(row: number): ExtendedFacts | null {
    const message = messageOf(this.#kept, row);
    return message && extendedFacts(message);
  }

  tcpColumn(name: TcpNumber): Float64Array {
    checkOneOf(name, 'name', TCP_NUMBERS);
    return Float64Array.from({ length: this.#length }, (_, row) => {
      const message = messageOf(this.#kept, row);
      const info = message && tcpInfoBytes(message);
      return (info && tcpNumber(info, name)) ?? Number.NaN;
    });
  }
}
