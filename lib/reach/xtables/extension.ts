import type { Family } from '../../model/socket.js';
import type { Evaluate, Result } from '../nftables/run.js';
import type { Info } from './info.js';
import type { IpSets } from './ipset/sets.js';

/** A match or target, read: what it does, and how iptables-save(8) writes it. */
export interface Extension {
  readonly evaluate: Evaluate;
  /** What iptables(8) calls it, where that is not the kernel's name. */
  readonly name?: string;
  /** Its options, without `-m NAME` or `-j NAME`; empty for one that has none. */
  readonly text: string;
}

/** What a match or target may name. */
export interface Context {
  readonly family: Family;
  readonly sets: IpSets;
}

/** Reads one revision of a match or target; `null`: its structure is not what this version knows. */
export type Reader = (info: Info, revision: number, context: Context) => Extension | null;

/** What is asked of a packet: it is so, it is not, or that cannot be known. */
export type Answer = boolean | 'may';

/** What a match makes of an answer. */
export function holds(answer: Answer, invert = false): Result {
  if (answer === 'may') return 'may';
  return answer === invert ? 'break' : 'continue';
}

/** All of several questions have to be answered so. */
export function all(...answers: Answer[]): Answer {
  if (answers.includes(false)) return false;
  return answers.includes('may') ? 'may' : true;
}

/** The answer the other way round, where asked for. */
export function not(answer: Answer, invert = true): Answer {
  return answer === 'may' || !invert ? answer : !answer;
}

/** Options as iptables-save writes them: `! --dport 80`, or nothing where there is no such option. */
export function option(name: string, value: string | number | null, invert = false): string {
  if (value === null) return '';
  const words = value === '' ? name : `${name} ${value}`;
  return invert ? `! ${words}` : words;
}

/** The options that there are, one after the other. */
export function options(...words: string[]): string {
  return words.filter((word) => word !== '').join(' ');
}
