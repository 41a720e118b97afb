import { capture } from '../kernel/capture.js';
import type { ReadOptions, Socket, SocketFilter } from '../model/socket.js';
import { exposure } from '../reach/exposure.js';
import type { Exposure, Scope } from '../reach/exposure-row.js';

/** Whose exposure is watched, and how it is read. All of it can be passed to a worker. */
export interface ExposureQuery {
  read: ReadOptions;
  filter: SocketFilter;
  /** Tell the exposure of what is there already. */
  existing: boolean;
}

export interface ExposureChange {
  exposure: Exposure;
  was: Exposure | null;
  /** It was so at the first look. */
  existing?: true;
}

/** Sockets with one place share its exposure: workers with SO_REUSEPORT, and a server that starts again. */
interface Place {
  exposure: Exposure;
  /** Who gets in, and of whom that is not known, as text. */
  who: string;
  cookies: ReadonlySet<string>;
  /** It was there at the first look, and nothing has been told of it. */
  untold: boolean;
}

/** Works out who reaches the listeners, and what is different from the last time. */
export class ExposureChanges {
  readonly #query: ExposureQuery;
  #places: Map<string, Place> | null = null;

  constructor(query: ExposureQuery) {
    this.#query = query;
  }

  /**
   * Looks again. `opened` are the cookies of listeners that opened since the watch began: one that did
   * before the first look was done is new nonetheless.
   */
  async look(opened: ReadonlySet<string>): Promise<ExposureChange[]> {
    const state = await capture({ ...this.#query.read, owners: true });
    const first = this.#places === null;
    const before = this.#places ?? new Map<string, Place>();
    const exposures = exposure(state, this.#query.filter);
    for (const one of exposures) leaveRemedies(one);
    const places = placesOf(exposures, first && !this.#query.existing);
    this.#places = places;
    const changes: ExposureChange[] = [];
    for (const [key, place] of places) {
      let was: Place | null = before.get(key) ?? null;
      if (first && place.untold) {
        if (!isNew(place, opened)) continue;
        place.untold = false;
      }
      if (was?.untold && isNew(was, opened)) was = null;
      else if (was?.untold && was.who === place.who) place.untold = true;
      if (was?.who === place.who) continue;
      const existing = first && !isNew(place, opened) ? ({ existing: true } as const) : {};
      changes.push({ exposure: place.exposure, was: was?.exposure ?? null, ...existing });
    }
    for (const [key, was] of before) {
      if (places.has(key) || (was.untold && isNew(was, opened))) continue;
      changes.push({ exposure: nobody(was.exposure), was: was.exposure });
    }
    return changes;
  }
}

/** A row's remedies are looked for when it is read or copied, and each takes its time: none here. */
function leaveRemedies({ blocked, unknown }: Exposure): void {
  for (const row of [...blocked, ...unknown]) row.remedies = [];
}

function isNew({ cookies }: Place, opened: ReadonlySet<string>): boolean {
  return cookies.size > 0 && [...cookies].every((cookie) => opened.has(cookie));
}

const SCOPES: readonly Scope[] = ['nobody', 'host', 'unknown', 'link', 'routed'];

function placesOf(exposures: readonly Exposure[], untold: boolean): Map<string, Place> {
  const groups = new Map<string, Exposure[]>();
  for (const one of exposures) {
    const key = keyOf(one);
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const places = new Map<string, Place>();
  for (const [key, group] of groups) {
    const widest = group.reduce((one, other) =>
      SCOPES.indexOf(other.scope) > SCOPES.indexOf(one.scope) ? other : one,
    );
    const cookies = new Set(group.flatMap(({ socket }) => socket?.cookie ?? []));
    const who = [...new Set(group.flatMap(whoOf))].sort().join('\n');
    places.set(key, { exposure: widest, who, cookies, untold });
  }
  return places;
}

function keyOf({ endpoint, socket }: Exposure): string {
  const { protocol, port } = endpoint;
  const at = socket && placeOf(socket);
  return `${protocol} ${port} ${at}`;
}

function placeOf({ family, local, boundInterface }: Socket): string {
  return `${family} ${local.address} ${boundInterface}`;
}

function whoOf({ reach, unknown }: Exposure): string[] {
  return [
    ...reach.map((one) => `in ${one.interface} ${one.address} ${one.port} ${one.peers.join()}`),
    ...unknown.map((one) => `? ${one.interface} ${one.address} ${one.port} ${one.peers.join()}`),
  ];
}

function nobody(exposure: Exposure): Exposure {
  return { ...exposure, scope: 'nobody', reach: [], blocked: [], unknown: [] };
}
