import type { ExecutionContext } from 'ava';
import { capture } from '#earshot/kernel/capture.js';
import { trace } from '#earshot/reach/trace.js';
import { type Lab, withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { LAN4 } from '../networks.js';
import { type Comparison, holdAgainstKernel } from '../witness.js';
import { type Backend, backends, iptablesTools } from '../xtables/load.js';
import type { Scene } from './scene.js';
import { ufwAndDocker } from './scenes/docker.js';
import { fail2ban } from './scenes/fail2ban.js';
import { firewalld } from './scenes/firewalld.js';
import { kubeProxy } from './scenes/kube-proxy.js';
import { libvirt } from './scenes/libvirt.js';
import { netavark } from './scenes/netavark.js';
import { tailscale } from './scenes/tailscale.js';
import { ufw } from './scenes/ufw.js';
import { startFirewall } from './start.js';

/*
 * Firewalls that people run, run for real, over both backends of iptables: connections are made, and
 * earshot must say of each what happened.
 */

const root = {
  name: 'root',
  missing: () => (process.getuid?.() === 0 ? null : 'daemons need root itself'),
};

type Use = (held: Held, t: ExecutionContext) => Promise<void> | void;

/** What is held of a scene that runs. */
interface Held {
  readonly lab: Lab;
  readonly told: readonly Comparison[];
  /** By whom, where to, and by which protocol; all that were asked so, of which there must be some. */
  of(from: string, address: string, port: number, protocol?: 'tcp' | 'udp'): Comparison[];
}

/** Over each backend: the scene is set, and all of its flows are held against the kernel. */
function scenario(scene: Scene, title: string, use: Use): void {
  const test = labTest([...iptablesTools, ...scene.tools], [root]).serial;
  for (const backend of backends) {
    test(`${scene.name} over iptables-${backend}: ${title}`, (t) => hold(t, scene, backend, use));
  }
}

async function hold(t: ExecutionContext, scene: Scene, backend: Backend, use: Use): Promise<void> {
  t.timeout(120_000);
  await withLab(scene.host, async (lab) => {
    const running = await startFirewall(lab.host.namespace, backend, scene.start, scene.stop);
    try {
      scene.serve(lab);
      const told = await holdAgainstKernel(lab, scene.flows);
      const of: Held['of'] = (from, address, port, protocol) => {
        const found = told.filter(
          ({ flow }) =>
            flow.from === from &&
            flow.destination.address === address &&
            flow.destination.port === port &&
            (protocol ?? flow.protocol) === flow.protocol,
        );
        t.not(found.length, 0, `${from} asks ${address} at ${port}`);
        return found;
      };
      await use({ lab, told, of }, t);
    } finally {
      await running.close();
    }
  });
}

/** Of what stays here everything is known, but for what the scene names. */
function knows(
  t: ExecutionContext,
  told: readonly Comparison[],
  but: (one: Comparison) => boolean = () => false,
): void {
  for (const one of told) {
    const { code } = one.verdict.cause ?? { code: null };
    const leaves = code === 'forwarded' || code === 'leaves-this-host';
    if (leaves || but(one)) continue;
    t.not(one.verdict.outcome, 'unknown', `${JSON.stringify(one.flow)} ${one.verdict.explanation}`);
  }
}

/** A page of a container, which is another host: whether it answers is not this capture's to say. */
async function published(
  t: ExecutionContext,
  lab: Lab,
  container: string,
  bridge: string,
): Promise<string[]> {
  const ask = `exec 3<>/dev/tcp/${LAN4}/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
  const neighbour = lab.namespace('neighbour');
  t.regex(await neighbour.run(['timeout', '5', 'bash', '-c', ask]), /^container$/m);
  const { outcome, cause, steps } = trace(await capture({ netns: lab.host.namespace.path }), {
    protocol: 'tcp',
    ingress: 'eth0',
    source: { address: '192.0.2.10' },
    destination: { address: LAN4, port: 8080 },
  });
  t.is(outcome, 'unknown');
  t.like(cause, {
    code: 'forwarded',
    interface: bridge,
    translatedTo: { address: container, port: 80 },
  });
  return steps
    .filter(({ detail }) => detail.startsWith('iptables-'))
    .map(({ stage, detail }) => `${stage}: ${detail.replace(/^.*?: /, '')}`);
}

scenario(ufw, 'its rules decide, and only a limit is left open', ({ told, of }, t) => {
  // Without a reload ufw leaves what follows the limit of IPv6 empty: its policy drops them all.
  const limited = ({ flow: { protocol, destination, from } }: Comparison) =>
    protocol === 'tcp' &&
    destination.port === 9003 &&
    destination.address === LAN4 &&
    from !== 'host';
  knows(t, told, limited);
  for (const { verdict } of of('neighbour', LAN4, 9003, 'tcp')) {
    t.is(verdict.outcome, 'unknown');
    t.regex(verdict.explanation, /-m recent --update --seconds 30 --hitcount 6/);
  }
});

scenario(
  ufwAndDocker,
  'what the one denies the other publishes, and it is open',
  async ({ lab, of }, t) => {
    t.deepEqual(await published(t, lab, '172.17.0.2', 'docker0'), [
      'prerouting: iptables -t nat -A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80',
      'forward: iptables -A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT',
      'output: policy accept',
      // The answer, and what follows it.
      'reply: iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT',
      'forward: iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
    ]);
    // The same port of a program of the host itself is ufw's to deny.
    for (const { verdict } of of('neighbour', LAN4, 9001)) t.is(verdict.outcome, 'unreachable');
  },
);

scenario(firewalld, 'its zone decides, and a set of friends', ({ told, of }, t) => {
  knows(t, told);
  for (const { verdict } of of('neighbour', LAN4, 9000, 'tcp')) t.is(verdict.outcome, 'reachable');
  for (const { verdict } of of('remote', LAN4, 9003, 'tcp')) t.is(verdict.outcome, 'reachable');
  for (const { verdict } of of('neighbour', LAN4, 9003, 'tcp')) {
    t.is(verdict.symptom, 'ECONNREFUSED');
    t.like(verdict.cause, { code: 'rule-reject', rule: { chain: 'IN_public' } });
  }
});

scenario(fail2ban, 'who is banned is refused by the jail that banned it', ({ told, of }, t) => {
  knows(t, told);
  for (const { verdict } of of('neighbour', LAN4, 9000, 'tcp'))
    t.like(verdict.cause, { code: 'rule-reject', rule: { chain: 'f2b-web' } });
  for (const { verdict } of of('neighbour', LAN4, 9002, 'udp')) {
    t.is(verdict.symptom, 'ECONNREFUSED');
    t.regex(verdict.explanation, /--match-set f2b-names src/);
  }
  for (const { verdict } of of('remote', LAN4, 9003, 'tcp')) {
    t.is(verdict.symptom, 'ETIMEDOUT');
    t.like(verdict.cause, { code: 'rule-drop', rule: { chain: 'f2b-all' } });
  }
});

scenario(libvirt, 'guests reach the host, and nobody reaches them', ({ told, of }, t) => {
  knows(t, told);
  for (const { verdict } of of('guest', '192.168.122.1', 9000)) t.is(verdict.outcome, 'reachable');
  for (const { verdict, result } of of('remote', '192.168.122.10', 9000)) {
    t.is(result.symptom, 'ECONNREFUSED');
    t.like(verdict, { symptom: 'ECONNREFUSED', stage: 'forward', cause: { code: 'rule-reject' } });
  }
});

scenario(netavark, 'a published port is sent on to its container', async ({ lab, told }, t) => {
  knows(t, told);
  const rules = await published(t, lab, '10.88.0.2', 'podman0');
  t.regex(rules[0]!, /^prerouting: .* --dport 8080 -j DNAT --to-destination 10\.88\.0\.2:80$/);
});

scenario(
  kubeProxy,
  'node ports lead to endpoints, by chance where there are two',
  ({ told, of }, t) => {
    const byChance = ({ flow: { protocol, destination } }: Comparison) =>
      protocol === 'tcp' && destination.port === 30081;
    knows(t, told, byChance);
    for (const { verdict } of of('neighbour', LAN4, 30080, 'tcp')) {
      const translatedTo = { address: '10.244.0.5', port: 8080 };
      t.like(verdict.cause, { code: 'forwarded', interface: 'cni0', translatedTo });
    }
    for (const { verdict } of of('neighbour', LAN4, 30081, 'tcp')) {
      t.is(verdict.outcome, 'unknown');
      t.regex(verdict.explanation, /-m statistic --mode random/);
    }
    for (const { verdict } of of('remote', LAN4, 30082, 'tcp'))
      t.like(verdict, { outcome: 'reachable', socket: { local: { port: 9000 } } });
    for (const { verdict } of of('neighbour', LAN4, 30083, 'tcp')) {
      t.is(verdict.symptom, 'ECONNREFUSED');
      t.like(verdict.cause, { code: 'rule-reject', rule: { chain: 'KUBE-EXTERNAL-SERVICES' } });
    }
  },
);

scenario(tailscale, 'members are let in, and who claims to be one is not', ({ told, of }, t) => {
  knows(t, told);
  for (const { verdict } of of('member', '100.64.0.1', 9000)) t.is(verdict.outcome, 'reachable');
  const claims = of('neighbour', LAN4, 9001, 'tcp').filter(({ flow }) => flow.source?.address);
  t.is(claims.length, 1);
  t.like(claims[0]!.verdict.cause, { code: 'rule-drop', rule: { chain: 'ts-input' } });
});
