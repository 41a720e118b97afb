import { inRoot } from '../support/paths.mjs';

/*
 * What is asked, and who answers. An answerer is a program that answers each line of its standard
 * input with one of "MILLISECONDS COUNT PEAK_KIB" and leaves when that ends.
 */

/**
 * @typedef {object} Answerer
 * @property {string} name
 * @property {string[]} command
 * @property {string} [line] what is written to it; a newline alone unless given
 * @property {boolean} [floor] what the others are compared with
 * @property {number} [most] more ratio to the floor than this is too slow
 * @property {boolean} [slow] asked in the first rounds only
 * @property {number} [slower] earshot's best must be so many times faster
 */

/** @typedef {{ what: string, answerers: Answerer[] }} Question */

/** @param {string} name */
const built = (name) => inRoot('build/bench', name);

/** @param {string[]} command a program of the system, run to its end each time */
const program = (...command) => ({
  name: command.join(' '),
  command: [built('program'), ...command],
});

/** @param {string} line @returns {Answerer} */
const floor = (line) => ({ name: 'bare C', command: [built('floor')], line, floor: true });

/** Each answer counts the bytes that a table of all TCP sockets holds for one of them. @type {Answerer} */
export const held = {
  name: 'a table held',
  command: [process.execPath, inRoot('scripts/bench/answer.mjs'), 'held', '0'],
};

/** @param {number} port of a listener @returns {Question[]} */
export function questions(port) {
  /** @param {string} name @param {string} asked */
  const inNode = (name, asked) => ({
    name,
    command: [process.execPath, inRoot('scripts/bench/answer.mjs'), asked, String(port)],
  });
  return [
    {
      what: 'all TCP sockets',
      answerers: [
        floor('tcp'),
        { ...inNode('earshot, columns', 'columns'), most: 1.15 },
        { ...inNode('earshot, records', 'records'), most: 1.6 },
        { ...program('ss', '-tan'), slower: 2.5 },
        program('cat', '/proc/net/tcp', '/proc/net/tcp6'),
        { ...inNode('systeminformation', 'systeminformation'), slow: true, slower: 40 },
        { ...inNode('node-netstat', 'node-netstat'), slow: true },
        inNode('@stroncium/procfs', 'procfs'),
      ],
    },
    {
      what: 'TCP listeners',
      answerers: [
        floor('listeners'),
        { ...inNode('earshot', 'listeners'), most: 2 },
        { ...program('ss', '-tln'), slower: 200 },
        { ...program('lsof', '-nP', '-iTCP', '-sTCP:LISTEN'), slow: true },
      ],
    },
    {
      what: "one port's listener and its owner",
      answerers: [
        inNode('earshot', 'port'),
        { ...inNode('pid-port', 'pid-port'), slow: true, slower: 100 },
        { ...inNode('find-process', 'find-process'), slow: true },
      ],
    },
    {
      what: 'all TCP sockets and their owners',
      answerers: [
        floor('owners'),
        { ...inNode('earshot', 'owners'), most: 1.2 },
        { ...program('ss', '-tanp'), slow: true, slower: 10 },
        { ...program('lsof', '-nP', '-iTCP'), slow: true },
      ],
    },
  ];
}
