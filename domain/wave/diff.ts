import { mediaTypeOf } from '../media-type.ts';

/** A path whose two sides are not equal. `sha256` in hexadecimal. */
export interface Differing {
  readonly source: string;
  readonly path: string;
  /** null: the source does not hold it (any more). */
  readonly listed: { readonly sha256: string; readonly bytes: number } | null;
  /** null: no document is alive there. */
  readonly alive: { readonly sha256: string; readonly document: string } | null;
}

/** What a wave has to do with one document. A removed one has no content. */
export interface Change {
  readonly change: 'added' | 'changed' | 'moved' | 'removed';
  readonly source: string;
  readonly path: string;
  /** Its key; null: it is new and has none yet. */
  readonly document: string | null;
  readonly former_path: string | null;
  readonly sha256: string | null;
  readonly bytes: number;
}

/**
 * Row W6, in one pass and without I/O: give it the differing paths, those with one side ordered by source and sha256, and
 * take the changes from each call and from `end`. A path on both sides is the same document, whatever it holds now. Of the
 * others, what is gone and what is new with equal bytes are the two ends of a move, one to one: first where the file name is
 * the same, then in the order of their paths; so twins never share or swap a document without need. `rewrite`: nothing keeps
 * its chunks. It holds no more than the one-sided paths of one content.
 */
export function createDiff({ rewrite }: { readonly rewrite: boolean }) {
  let group: Differing[] = [];
  const flush = (): Change[] => {
    const changes = changesOfOneContent(group, rewrite);
    group = [];
    return changes;
  };
  return {
    take(next: Differing): Change[] {
      if (next.listed !== null && next.alive !== null) {
        const { listed, alive, source, path } = next;
        return [{ change: 'changed', source, path, document: alive.document, former_path: null, ...listed }];
      }
      const first = group[0];
      const done = first === undefined || groupOf(first) === groupOf(next) ? [] : flush();
      group.push(next);
      return done;
    },
    end: flush,
  };
}

function groupOf({ source, listed, alive }: Differing): string {
  return `${source} ${(listed ?? alive)?.sha256 ?? ''}`;
}

function changesOfOneContent(group: readonly Differing[], rewrite: boolean): Change[] {
  const inOrder = group.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const gone = inOrder.filter(({ alive }) => alive !== null);
  const fresh = inOrder.filter(({ listed }) => listed !== null);
  const origins = pairUp(gone, fresh);
  const moved = new Set(origins.values());
  return [
    ...gone.filter((each) => !moved.has(each)).map(removal),
    ...fresh.map((each) => {
      const origin = origins.get(each);
      return origin === undefined ? addition(each) : move(origin, each, rewrite);
    }),
  ];
}

/** Where each new path comes from. Both are in the order of their paths. */
function pairUp(gone: readonly Differing[], fresh: readonly Differing[]): Map<Differing, Differing> {
  const named = pairInOrder(gone, fresh, fileName);
  const taken = new Set(named.values());
  const goneElsewhere = gone.filter((each) => !taken.has(each));
  const freshElsewhere = fresh.filter((each) => !named.has(each));
  return new Map([...named, ...pairInOrder(goneElsewhere, freshElsewhere, () => '')]);
}

/** The first with the first, the second with the second, among those of the same name. */
function pairInOrder(gone: readonly Differing[], fresh: readonly Differing[], nameOf: (one: Differing) => string) {
  const queues = new Map<string, { readonly waiting: Differing[]; next: number }>();
  for (const each of gone) {
    const queue = queues.get(nameOf(each));
    if (queue === undefined) queues.set(nameOf(each), { waiting: [each], next: 0 });
    else queue.waiting.push(each);
  }
  const origins = new Map<Differing, Differing>();
  for (const each of fresh) {
    const queue = queues.get(nameOf(each));
    const origin = queue?.waiting[queue.next++];
    if (origin !== undefined) origins.set(each, origin);
  }
  return origins;
}

function fileName({ path }: Differing): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function removal({ source, path, alive }: Differing): Change {
  const document = alive?.document ?? null;
  return { change: 'removed', source, path, document, former_path: null, sha256: null, bytes: 0 };
}

function addition({ source, path, listed }: Differing): Change {
  const { sha256, bytes } = listed ?? { sha256: null, bytes: 0 };
  return { change: 'added', source, path, document: null, former_path: null, sha256, bytes };
}

/** It keeps its key, and its chunks unless they are to be made anew or another parser may be meant by the new name. */
function move(from: Differing, to: Differing, rewrite: boolean): Change {
  const change = rewrite || typeOf(from) !== typeOf(to) ? 'changed' : 'moved';
  return { ...addition(to), change, document: from.alive?.document ?? null, former_path: from.path };
}

/** As far as its name tells. */
function typeOf({ path }: Differing): string {
  return mediaTypeOf(path, new Uint8Array());
}
