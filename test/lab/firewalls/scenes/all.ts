import type { Scene } from '../scene.js';
import { ufwAndDocker } from './docker.js';
import { fail2ban } from './fail2ban.js';
import { firewalld } from './firewalld.js';
import { kubeProxy } from './kube-proxy.js';
import { libvirt } from './libvirt.js';
import { netavark } from './netavark.js';
import { tailscale } from './tailscale.js';
import { ufw } from './ufw.js';

/** The firewalls that people really run. */
export const scenes: readonly Scene[] = [
  ufw,
  ufwAndDocker,
  firewalld,
  fail2ban,
  libvirt,
  netavark,
  kubeProxy,
  tailscale,
];
