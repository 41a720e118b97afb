import type { ExecutionContext } from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { trace } from '#earshot/reach/trace.js';
import { type Lab, withLab } from '../harness.js';
import { both, everyFlow, LAN4, LAN6, labTest, routed } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';
import { type Backend, backends, iptablesTools } from '../xtables/load.js';
import { docker, stopDocker, ufw } from './scripts.js';
import { type Running, startFirewall } from './start.js';

/*
 * Firewalls that people run, run for real, over both backends of iptables: connections are made, and
 * earshot must say of each what happened.
 */

const root = {
  name: 'root',
  missing: () => (process.getuid?.() === 0 ? null : 'daemons need root itself'),
};
const test = labTest([...iptablesTools, 'ufw'], [root]).serial;
const withDocker = labTest(
  [...iptablesTools, 'ufw', 'dockerd', 'docker', 'busybox'],
  [root],
).serial;

const ports = [9000, 9001, 9002, 9003, 9004, 9005];
const servers = ports.flatMap((port) => [
  ...both({ address: '0.0.0.0', port }),
  ...both({ address: '::', port, v6only: true }),
]);
const flows = ports.flatMap((port) =>
  everyFlow(['neighbour', 'remote', 'host'], [LAN4, LAN6], port),
);

async function withFirewall(
  t: ExecutionContext,
  backend: Backend,
  script: string,
  stop: string,
  use: (lab: Lab) => Promise<void>,
): Promise<void> {
  t.timeout(120_000);
  await withLab(routed, async (lab) => {
    let running: Running | null = null;
    try {
      running = await startFirewall(lab.host.namespace, backend, script, stop);
      await use(lab);
    } finally {
      await running?.close();
    }
  });
}

for (const backend of backends) {
  test(`ufw over iptables-${backend}: its rules decide, and only a limit is left open`, async (t) => {
    await withFirewall(t, backend, ufw, '', async (lab) => {
      lab.listen(servers);
      for (const { flow, verdict } of await holdAgainstKernel(lab, flows)) {
        // Without a reload ufw leaves what follows the limit of IPv6 empty: its policy drops them all.
        const { address, port } = flow.destination;
        const limited = flow.protocol === 'tcp' && port === 9003 && address === LAN4;
        const asked = limited && flow.from !== 'host';
        t.is(
          verdict.outcome === 'unknown',
          asked,
          `${JSON.stringify(flow)} ${verdict.explanation}`,
        );
        if (asked) t.regex(verdict.explanation, /-m recent --update --seconds 30 --hitcount 6/);
      }
    });
  });

  withDocker(
    `ufw denies a port, Docker publishes it over iptables-${backend}, and it is open`,
    async (t) => {
      await withFirewall(t, backend, `${ufw}${docker}`, stopDocker, async (lab) => {
        const neighbour = lab.namespace('neighbour');
        const ask = `exec 3<>/dev/tcp/${LAN4}/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
        t.regex(await neighbour.run(['timeout', '5', 'bash', '-c', ask]), /^container$/m);
        const state = await capture({ netns: lab.host.namespace.path });
        const { outcome, cause, steps } = trace(state, {
          protocol: 'tcp',
          ingress: 'eth0',
          source: { address: '192.0.2.10' },
          destination: { address: LAN4, port: 8080 },
        });
        // The container is another host: whether it answers is not this capture's to say.
        t.is(outcome, 'unknown');
        t.like(cause, {
          code: 'forwarded',
          interface: 'docker0',
          translatedTo: { address: '172.17.0.2', port: 80 },
        });
        const rules = steps.filter(({ detail }) => detail.startsWith('iptables-'));
        t.deepEqual(
          rules.map(({ stage, detail }) => [stage, detail.replace(/^.*?: /, '')]),
          [
            [
              'prerouting',
              'iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80',
            ],
            [
              'forward',
              'iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT',
            ],
            ['output', 'policy accept'],
          ],
        );
        // The same port of a program of the host itself is ufw's to deny.
        lab.listen(servers);
        const own = everyFlow(['neighbour'], [LAN4], 9001);
        for (const { verdict } of await holdAgainstKernel(lab, own))
          t.is(verdict.outcome, 'unreachable');
      });
    },
  );
}
