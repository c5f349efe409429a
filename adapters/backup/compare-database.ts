import type { Finding } from '../../domain/backup/finding.ts';
import type { ManifestDraft } from '../../domain/backup/manifest.ts';
import { databaseUrl } from '../postgres/connect.ts';
import { hashSnapshot } from './capture-database.ts';
import type { BackupServers, Watched } from './deps.ts';
import { withSnapshot } from './exported-snapshot.ts';
import { l2 } from './findings.ts';
import { visibleGenerations } from './pinned-generations.ts';
import { sequenceValues } from './table-hashes.ts';
import { told } from './told.ts';

type Described = ManifestDraft['databases'][number];

/** A restored database beside what the manifest says of it: tables, the hash of the rows of each, sequences, generations. */
export async function compareDatabase(
  deps: Pick<BackupServers, 'postgresUrl'>,
  request: Watched & { readonly role: Described['role']; readonly database: string; readonly manifest: ManifestDraft },
): Promise<Finding[]> {
  const { role, database, manifest, signal, beat } = request;
  const described = manifest.databases.find((each) => each.role === role);
  if (described === undefined) return [l2(`database.${role}`, ['the manifest does not describe it'])];
  return withSnapshot(databaseUrl(deps.postgresUrl, database), async (snapshot) => {
    const tables = await told(beat, `compare ${role}`, (done) => hashSnapshot(snapshot, { signal, done }));
    const sequences = await sequenceValues(snapshot.tx);
    const generations = role === 'data' ? await visibleGenerations(snapshot.tx) : manifest.generations;
    const found = [
      l2(`database.${role}.tables`, otherTables(described.tables, tables), { tables: Object.keys(tables).length }),
      l2(`database.${role}.rows`, otherRows(described.tables, tables), { rows: sumOf(tables) }),
      l2(`database.${role}.sequences`, lowerSequences(described.sequences, sequences)),
    ];
    if (role === 'ops') return found;
    const same = JSON.stringify(generations) === JSON.stringify(inOrder(manifest.generations));
    return [...found, l2('generations', same ? [] : ['projects show other generations than the manifest says'])];
  });
}

type Tables = Described['tables'];

function otherTables(wanted: Tables, found: Tables): string[] {
  return [
    ...Object.keys(wanted).flatMap((name) => (name in found ? [] : [`${name} is not there`])),
    ...Object.keys(found).flatMap((name) => (name in wanted ? [] : [`${name} is no table of the point`])),
  ];
}

function otherRows(wanted: Tables, found: Tables): string[] {
  return Object.entries(wanted).flatMap(([name, { rows, sha256 }]) => {
    const there = found[name];
    if (there === undefined || there.sha256 === sha256) return [];
    return [there.rows === rows ? `rows of ${name} differ` : `${name} has ${there.rows} rows, not ${rows}`];
  });
}

/** They go on while a point is taken: what is restored may be ahead. */
function lowerSequences(wanted: Described['sequences'], found: Described['sequences']): string[] {
  return Object.entries(wanted).flatMap(([name, value]) => {
    const there = found[name];
    if (there === undefined) return [`${name} is not there`];
    return BigInt(there) < BigInt(value) ? [`${name} is at ${there}, below ${value}`] : [];
  });
}

function sumOf(tables: Tables): number {
  return Object.values(tables).reduce((sum, { rows }) => sum + rows, 0);
}

function inOrder(generations: ManifestDraft['generations']) {
  return [...generations]
    .sort((a, b) => (a.project < b.project ? -1 : 1))
    .map(({ project, visible, collection, identity }) => ({ project, visible, collection, identity }));
}
