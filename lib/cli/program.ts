import { Argument, Command, Option } from 'commander';
import type { AuditOptions } from './commands/audit.js';
import type { BindOptions } from './commands/bind.js';
import type { CaptureOptions } from './commands/capture.js';
import type { ExporterOptions } from './commands/exporter.js';
import type { ListOptions } from './commands/list.js';
import type { PortOptions } from './commands/port.js';
import type { TraceOptions } from './commands/trace.js';
import type { WatchOptions } from './commands/watch.js';
import type { Answer, Context } from './context.js';
import { symptoms } from './symptoms.js';
import { UsageError } from './usage-error.js';
import { packageVersion } from './version.js';

/** A command line with what it does, for help, completion and the manual. */
export interface Example {
  line: string;
  does: string;
}

const examplesOf = new WeakMap<Command, readonly Example[]>();

/** The examples of a command, as its help shows them. */
export function examples(command: Command): readonly Example[] {
  return examplesOf.get(command) ?? [];
}

/** What the exit status of the commands that answer a question says, for help and the manual. */
export const exitStatuses: readonly (readonly [status: number, says: string])[] = [
  [0, 'yes, reachable from another host (trace: reachable; bind: works)'],
  [1, 'no'],
  [2, 'the question could not be understood or asked'],
  [3, 'unknown: what would decide could not be read'],
];

/** The shells that can complete the command line. */
const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** Called with what a command answers. */
export type Answered = (answer: Answer) => void;

/**
 * The command line, its options and its help, in one place. What a command does is loaded when it is
 * called; the context is made then, so that --help and --version touch nothing.
 */
export function defineProgram(context: () => Context, answered: Answered): Command {
  const program = new Command('earshot')
    .description(
      'Who can reach a listening socket on this Linux host, why others cannot, and what would change it.',
    )
    .usage(
      '[PORT] [options]\n       earshot trace --from ADDRESS ADDRESS:PORT [options]\n       earshot capture [-o FILE] [options]',
    )
    .argument('[port]', 'the port to explain; without one every listening socket is listed')
    .option('--tcp', 'TCP only')
    .option('--udp', 'UDP only')
    .option('--from <address>', 'can this peer reach the port?')
    .option(
      '--in <interface>',
      'where the packets of --from arrive (default: where the route back to it goes)',
    )
    .addOption(
      new Option('--sees <error>', 'what on this host makes that peer see this error?').choices([
        ...symptoms,
      ]),
    )
    .version(packageVersion(), '-V, --version', 'show the version')
    .enablePositionalOptions()
    .helpCommand('help [command]', 'show the help of a command')
    .showSuggestionAfterError()
    .action(async (port: string | undefined, _: unknown, command: Command) => {
      const options: PortOptions & ListOptions = ownOptions(command);
      if (port !== undefined) {
        suggestCommand(port, command);
        answered(await (await import('./commands/port.js')).port(port, options, context()));
        return;
      }
      const lone = options.from ?? options.in ?? options.sees;
      if (lone !== undefined) {
        const name = loneName(options);
        throw new UsageError(
          `${name} ${lone} needs a port to ask for: write 'earshot PORT ${name} ${lone}'`,
        );
      }
      answered(await (await import('./commands/list.js')).list(options, context()));
    });
  shared(program);
  describe(
    program,
    [
      { line: 'earshot', does: 'every listening socket and who reaches it' },
      { line: 'earshot 3000', does: 'who reaches port 3000, who does not and why' },
      { line: 'earshot 3000 --from 192.168.1.7', does: 'whether this colleague does' },
      { line: 'earshot --netns blue', does: 'in the network namespace /run/netns/blue' },
      { line: 'earshot 3000 --json | jq', does: 'the same for programs' },
    ],
    exitStatusText,
  );

  const trace = program
    .command('trace')
    .summary('follow one packet step by step')
    .description(
      'Follow the first packet of one connection through the kernel, step by step, to the rule, route or socket that decides.',
    )
    .argument('<address:port>', 'the destination; an IPv6 address in brackets: [::1]:3000')
    .option('--from <address>', 'the peer that sends it (default: this host itself)')
    .option('--in <interface>', 'where it arrives (default: where the route back to the peer goes)')
    .option('--from-port <port>', "the peer's port (default: one that no rule names)")
    .option('--tcp', 'a TCP connection (default)')
    .option('--udp', 'a UDP datagram')
    .action(async (destination: string, _: unknown, command: Command) => {
      const options: TraceOptions = ownOptions(command);
      answered(await (await import('./commands/trace.js')).trace(destination, options, context()));
    });
  shared(trace);
  describe(
    trace,
    [
      { line: 'earshot trace --from 192.168.1.7 192.168.1.10:3000', does: '' },
      { line: "earshot trace --from fe80::7 --in eth0 '[fe80::1]:3000'", does: '' },
      { line: 'earshot trace --udp --from 10.8.0.2 10.8.0.1:53', does: '' },
    ],
    exitStatusText,
  );

  const bind = program
    .command('bind')
    .summary('whether a server would get an address and port')
    .description(
      'Tell whether a socket could be bound to an address and port, and for TCP listen there; who is in the way; and who could reach it then. Nothing is bound.',
    )
    .argument('<address:port>', 'where; 0.0.0.0 and [::] are every address')
    .option('--tcp', 'a TCP socket (default)')
    .option('--udp', 'a UDP socket')
    .option('--v6only', 'with IPV6_V6ONLY: IPv6 alone')
    .option('--reuse-address', 'with SO_REUSEADDR, as most TCP servers have it')
    .option('--reuse-port', 'with SO_REUSEPORT')
    .option('--interface <interface>', 'bound to this interface (SO_BINDTODEVICE)')
    .option('--uid <uid>', 'the user who binds, by number (default: this one)')
    .action(async (where: string, _: unknown, command: Command) => {
      const options: BindOptions = ownOptions(command);
      answered(await (await import('./commands/bind.js')).bind(where, options, context()));
    });
  shared(bind);
  describe(
    bind,
    [
      { line: 'earshot bind --reuse-address 0.0.0.0:3000', does: '' },
      { line: 'earshot bind --uid 1000 [::]:80', does: '' },
      { line: 'earshot bind --udp --interface eth0 0.0.0.0:53', does: '' },
    ],
    exitStatusText,
  );

  const watch = program
    .command('watch')
    .summary('who listens and who reaches it, as it changes')
    .description(
      'Show every listening port, who reaches it and how many connections it has, as that changes; or tell each change as a line of JSON.',
    )
    .option('--json', 'one line of JSON for each change')
    .option('--interval <milliseconds>', 'how often to look, from 10 (default: 1000)')
    .option('--tcp', 'TCP only')
    .option('--udp', 'UDP only')
    .option(
      '--netns <namespace>',
      'another network namespace: a name below /run/netns, a path, or a process id',
    )
    .helpOption('-h, --help', 'show this help')
    .action(async (_: unknown, command: Command) => {
      const options: WatchOptions = ownOptions(command);
      answered(await (await import('./commands/watch.js')).watch(options, context()));
    });
  describe(watch, [
    { line: 'earshot watch', does: 'a live table; q ends it' },
    { line: 'earshot watch --json --interval 100', does: 'for programs' },
  ]);

  const audit = program
    .command('audit')
    .summary('whether the host is open as a policy has it')
    .description(
      'Hold who reaches which ports against a policy: a JSON file that says who may (--schema describes it). Tells exactly which peers get in whom it does not let, and by which path.',
    )
    .argument('[policy]', 'the file; - for standard input')
    .option('--narrower', 'also tell whom the policy lets in and who does not get in')
    .option('--write', 'write the policy that says what is, instead of reading one')
    .option('--sarif', 'SARIF 2.1.0 instead of text, for code hosts')
    .option('--schema', 'print the JSON Schema of policies, for editors, and do no more')
    .action(async (policy: string | undefined, _: unknown, command: Command) => {
      const options: AuditOptions = ownOptions(command);
      answered(await (await import('./commands/audit.js')).audit(policy, options, context()));
    });
  shared(audit);
  describe(
    audit,
    [
      { line: 'earshot audit --write policy.json', does: 'allow what is open now' },
      { line: 'earshot audit policy.json', does: 'is anything open wider?' },
      {
        line: 'earshot audit --narrower --state image.json policy.json',
        does: 'an image, by its capture',
      },
      { line: 'earshot audit --sarif policy.json > audit.sarif', does: 'for a code host' },
    ],
    auditStatusText,
  );

  const capture = program
    .command('capture')
    .summary('save what the answers depend on')
    .description(
      'Write all that the answers depend on as JSON: to ask again later, or on another machine, with --state.',
    )
    .addOption(
      new Option(
        '-o, --output <file>',
        'write to a file, whole or not at all (default: standard output)',
      ),
    )
    .action(async (_: unknown, command: Command) => {
      const options: CaptureOptions = ownOptions(command);
      answered(await (await import('./commands/capture.js')).capture(options, context()));
    });
  shared(capture);
  describe(capture, [
    { line: 'earshot capture -o host.json', does: '' },
    { line: 'earshot 3000 --state host.json', does: '' },
    { line: 'ssh host sudo earshot capture | earshot --state -', does: '' },
  ]);

  const exporter = program
    .command('exporter')
    .summary('metrics for Prometheus')
    .description(
      'Serve metrics for Prometheus until it is ended: sockets by state, listeners with the farthest who reach them and their accept queues, and changes of who reaches what.',
    )
    .addOption(
      new Option(
        '--listen <address:port>',
        'where it serves; it warns where others can ask',
      ).default('127.0.0.1:19747'),
    )
    .addOption(
      new Option('--interval <milliseconds>', 'how often new listeners are looked for').default(
        '1000',
      ),
    )
    .option(
      '--netns <namespace>',
      'another network namespace: a name below /run/netns, a path, or a process id',
    )
    .helpOption('-h, --help', 'show this help')
    .action(async (_: unknown, command: Command) => {
      const options: ExporterOptions = ownOptions(command);
      answered(await (await import('./commands/exporter.js')).exporter(options, context()));
    });
  describe(exporter, [
    { line: 'earshot exporter', does: 'http://127.0.0.1:19747/metrics' },
    { line: "earshot exporter --listen '[::1]:19747' --netns blue", does: '' },
  ]);

  const completion = program
    .command('completion')
    .summary('print a script that completes the command line')
    .description('Print the script with which a shell completes the command line of earshot.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .helpOption('-h, --help', 'show this help')
    .action(async (shell: Shell, _: unknown, command: Command) => {
      ownOptions(command);
      answered((await import('./commands/completion.js')).completion(shell, program));
    });
  describe(completion, [
    { line: 'source <(earshot completion bash)', does: 'in ~/.bashrc' },
    { line: 'source <(earshot completion zsh)', does: 'in ~/.zshrc, after compinit' },
    { line: 'earshot completion fish | source', does: 'in ~/.config/fish/config.fish' },
  ]);
  return program;
}

function loneName(options: PortOptions): string {
  if (options.from !== undefined) return '--from';
  return options.in === undefined ? '--sees' : '--in';
}

/** The options that every command has. */
function shared(command: Command): void {
  command
    .option('--json', 'one JSON document instead of text')
    .option(
      '--netns <namespace>',
      'another network namespace: a name below /run/netns, a path, or a process id',
    )
    .option(
      '--state <file>',
      "answer from a capture made with 'earshot capture'; - for standard input",
    )
    .helpOption('-h, --help', 'show this help');
}

/** What the exit status of `earshot audit` says. */
export const auditStatuses: typeof exitStatuses = [
  [0, 'the host is open as the policy has it'],
  [1, 'it is not'],
  [2, 'the policy or the question could not be understood'],
  [3, 'unknown: whether somebody gets in cannot be told'],
];

const exitStatusText = statusText(exitStatuses);
const auditStatusText = statusText(auditStatuses);

function statusText(statuses: typeof exitStatuses): string {
  return statuses
    .map(
      ([status, says], line) =>
        `${line === 0 ? '\nExit status:' : ' '.repeat(12)} ${status} ${says}`,
    )
    .join('\n');
}

function describe(command: Command, list: readonly Example[], after = ''): void {
  examplesOf.set(command, list);
  const widest = Math.max(...list.map(({ line }) => line.length));
  const lines = list.map(({ line, does }) => `  ${line.padEnd(widest)}  ${does}`.trimEnd());
  command.addHelpText(
    'after',
    `\nExamples:\n${lines.join('\n')}${after === '' ? '' : `\n${after}`}`,
  );
}

/**
 * The options of a command, those that stand before its name included; one that it does not have is
 * refused, because it would be ignored.
 */
function ownOptions<T>(command: Command): T {
  for (const option of command.parent?.options ?? []) {
    const name = option.attributeName();
    if (command.parent?.getOptionValue(name) === undefined) continue;
    if (!command.options.some((own) => own.attributeName() === name)) {
      throw new UsageError(
        `option ${option.long} does not belong to 'earshot ${command.name()}': leave it out`,
      );
    }
  }
  return command.optsWithGlobals() as T;
}

/** A first word that is neither a port nor a command was meant as one of them. */
function suggestCommand(word: string, program: Command): void {
  if (/^[\d+-]/.test(word)) return;
  const names = program.commands.map((command) => command.name());
  const near = names.find(
    (name) => name[0] === word[0] || name.includes(word) || word.includes(name),
  );
  throw new UsageError(
    `'${word}' is neither a port nor a command: give a port from 1 to 65535, or one of ${names.join(', ')}${near ? ` (did you mean ${near}?)` : ''}`,
  );
}
