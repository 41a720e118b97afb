import type { Cause } from '../verdict.js';
import type { Change, Failing } from './change.js';
import { publishOnLoopback } from './docker.js';
import { keepOut } from './firewall/keep-out.js';
import { letIn } from './firewall/let-in.js';
import { addAddress, switchOn } from './links.js';
import {
  listenForIpv4,
  listenForIpv6,
  listenOnDevice,
  listenOnLoopback,
  listenThere,
  stopOther,
} from './listen.js';
import { routeBack, routeBackBy, routeOnLink, routeRequest } from './routes.js';
import {
  acceptFromVrf,
  acceptLocal,
  answerArp,
  enableIpv6,
  relaxReversePath,
  routeLocalnet,
} from './settings.js';

/**
 * Changes that may do away with a cause. Whether they do is for the evaluator to say. The switch is
 * exhaustive: a cause that is added has to be given its remedies, or the reason why there are none.
 */
export function candidates(failing: Failing, cause: Cause): Change[] {
  switch (cause.code) {
    case 'interface-down':
      return switchOn(failing, cause);
    case 'ip-disabled':
      return enableIpv6(failing, cause);
    case 'rule-drop':
    case 'rule-reject':
    case 'rule-unknown':
    case 'policy-drop':
      return letIn(failing, cause);
    case 'martian-destination':
      return routeLocalnet(failing, cause);
    case 'source-is-ours':
      return acceptLocal(failing, cause);
    case 'reverse-path':
      return [...relaxReversePath(failing, cause), ...routeBackBy(failing, cause)];
    case 'neighbour-not-answered':
      return cause.protocol === 'arp'
        ? answerArp(failing, cause)
        : addAddress(failing, cause.interface, cause.destination);
    case 'not-our-address':
      return addAddress(failing, failing.followed.course.device.name, cause.destination);
    case 'no-route':
    case 'route-refuses':
      return cause.direction === 'reply' ? routeBack(failing, cause) : routeRequest(failing, cause);
    case 'assumed-on-link':
      return routeOnLink(failing, cause);
    case 'bound-to-loopback':
    case 'bound-to-other-address':
      return listenThere(failing, cause.socket);
    case 'bound-to-other-device':
      return listenOnDevice(failing, cause.socket);
    case 'outside-vrf':
      return [...listenOnDevice(failing, cause.socket), ...acceptFromVrf(cause)];
    case 'ipv6-only':
      return listenForIpv4(failing, cause.socket);
    case 'ipv4-only':
      return listenForIpv6(failing, cause.socket);
    case 'shadowed':
      return stopOther(failing, cause.by);

    // Not in this host's power: the other end of the link, the peer, or the network between.
    case 'no-carrier':
    case 'martian-source':
    case 'wrong-scope':
    case 'not-a-unicast-address':
    case 'forwarded':
    case 'leaves-this-host':
      return [];
    // Another machine has the address; or duplicate detection is under way, and waiting is all.
    case 'address-not-ready':
      return [];
    // A matter of the program itself: whether it runs, accepts, joins a group, knows a key.
    case 'no-listener':
    case 'other-protocol':
    case 'connected-to-another':
    case 'accept-queue-full':
    case 'signature-required':
    case 'group-not-joined':
      return [];
    // What has been asked about is not there: another question is the remedy.
    case 'interface-missing':
    case 'source-not-ours':
      return [];
    // What would have to be changed, and what of, is not in the capture.
    case 'port-blocked':
    case 'opaque-program':
    case 'firewall-unreadable':
    case 'firewall-not-evaluated':
    case 'not-captured':
    case 'not-evaluated':
      return [];
  }
}

/** Changes that may keep out who gets in: of the server, of what publishes its port, of the firewall. */
export function closingCandidates(failing: Failing): Change[] {
  const { course, fate } = failing.followed;
  if (fate.outcome === 'unreachable') return [];
  const passedOn = fate.cause?.code === 'forwarded';
  if (passedOn) return [...publishOnLoopback(failing), ...keepOut(failing, true)];
  const [taker, ...others] = course.takers;
  const alone = taker !== undefined && others.length === 0 && !course.fromHere;
  return [...(alone ? listenOnLoopback(failing, taker.socket) : []), ...keepOut(failing, false)];
}
