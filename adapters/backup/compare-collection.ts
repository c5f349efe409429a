import type { Finding } from '../../domain/backup/finding.ts';
import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import type { Sql } from '../postgres/connect.ts';
import { connectQdrant } from '../qdrant/connect.ts';
import { collectionExists } from '../qdrant/collections.ts';
import { comparePoints, type Odd } from './collection-hashes.ts';
import { pointsByRows, pointsHeld } from './collection-points.ts';
import type { BackupServers, Watched } from './deps.ts';
import { l2 } from './findings.ts';
import { scopesOf } from './pinned-generations.ts';
import type { RestoredCollection } from './restore-collection.ts';
import { changedAnswers } from './sampled-queries.ts';
import { told } from './told.ts';

/** Where a collection of the point was restored, and what of. */
export interface RestoredAt extends RestoredCollection {
  readonly name: string;
}

/**
 * A restored collection beside the rows of the restored database, at the generations of the point and in both directions; then both
 * beside the hashes of the manifest, and the sampled questions are asked again.
 */
export async function compareCollection(
  deps: Pick<BackupServers, 'qdrant'>,
  request: Watched & {
    readonly collection: ManifestDraft['collections'][number];
    readonly manifest: Pick<ManifestDraft, 'generations'>;
    readonly restored: RestoredAt;
    readonly data: Sql;
  },
): Promise<Finding[]> {
  const { collection, manifest, restored, data, signal, beat } = request;
  const { name, points, payloads_sha256, vectors_sha256, queries } = collection;
  const check = `collection.${name}`;
  // A point that is to hold a snapshot and has one that nobody can use is not what it says it is.
  const asSaid = l2(`${check}.restored`, restored.damaged ? [restored.why ?? 'damaged'] : [], {
    rebuilt: restored.why,
  });
  const qdrant = connectQdrant(deps.qdrant);
  if (!(await collectionExists(qdrant, restored.name)))
    return [asSaid, l2(`${check}.points`, ['the collection is not there'])];
  const scopes = scopesOf(manifest.generations).get(name) ?? [];
  const compared = await told(beat, `compare ${name}`, () =>
    comparePoints(pointsByRows(data, name, scopes), pointsHeld(qdrant, restored.name, scopes, signal)),
  );
  const { rows, held, missing, extra, different } = compared;
  const fromSnapshot = restored.why === null;
  const changed = fromSnapshot ? await changedAnswers(qdrant, restored.name, scopes, queries) : [];
  return [
    asSaid,
    l2(
      `${check}.points`,
      [...said('missing', missing), ...said('without a row', extra), ...said('unlike their rows', different)],
      {
        points: held.points,
      },
    ),
    l2(`${check}.payloads`, [
      ...(held.points === points ? [] : [`${held.points} points, not ${points}`]),
      ...(held.payloads_sha256 === payloads_sha256 ? [] : ['payloads are not those of the manifest']),
      ...(rows.payloads_sha256 === payloads_sha256 ? [] : ['rows are not those of the manifest']),
    ]),
    l2(
      `${check}.vectors`,
      fromSnapshot && held.vectors_sha256 !== vectors_sha256 ? ['vectors are not those of the manifest'] : [],
    ),
    l2(
      `${check}.queries`,
      changed.map((sha256) => `another answer to ${sha256.slice(0, 12)}`),
      {
        queries: fromSnapshot ? queries.length : 0,
      },
    ),
  ];
}

function said(what: string, { count, ids }: Odd): string[] {
  return count === 0 ? [] : [`${count} points ${what}, such as ${ids.join(', ')}`];
}
