import { withLab } from '../harness.js';
import { labTest } from '../lab-test.js';
import { both, everyFlow, LAN4, LAN6, routed } from '../networks.js';
import { holdAgainstKernel } from '../witness.js';

/*
 * A router asks for this host's link-layer address as any neighbour does, and rules may drop its
 * question: then who comes through it gets in only as long as the router happens to know.
 */

const test = labTest(['nft']);

const drops = {
  [LAN4]: `table netdev t {
  chain c {
    type filter hook ingress device eth0 priority 0; policy drop
    meta protocol ip accept
  }
}`,
  [LAN6]: `table inet t {
  chain c {
    type filter hook input priority 0; policy drop
    meta l4proto { tcp, udp } accept
  }
}`,
} as const;
const routers = { [LAN4]: '192.0.2.254', [LAN6]: '2001:db8::fe' } as const;

for (const address of [LAN4, LAN6] as const) {
  test(`where rules keep a router from asking for ${address}, who comes through it is not told`, async (t) => {
    await withLab(routed, async (lab) => {
      lab.listen(both({ address: '::', port: 80, v6only: false, answerFrom: 'asked' }));
      const flows = everyFlow(['remote'], [address], 80);
      const outcomes = async () =>
        (await holdAgainstKernel(lab, flows)).map(({ verdict }) => verdict.outcome);
      t.deepEqual(await outcomes(), ['reachable', 'reachable']);
      await lab.nft(drops[address]);
      t.deepEqual(await outcomes(), ['reachable', 'reachable'], 'the router knows it by heart');
      await lab.ip([`neighbour change ${routers[address]} dev eth0 nud stale`]);
      t.deepEqual(await outcomes(), ['unknown', 'unknown']);
      const [first] = await holdAgainstKernel(lab, flows);
      t.regex(first!.verdict.explanation, /whether \S+ still knows the link-layer address of eth0/);
    });
  });
}
