import type { ManifestDraft } from './manifest.ts';

type Facts = Pick<ManifestDraft, 'members' | 'databases' | 'collections' | 'file_sets' | 'encryption'>;
type Kind = ManifestDraft['members'][number]['kind'];

/** What a manifest says that cannot all be so. Empty: it may be. */
export function misfitsOf(facts: Facts): string[] {
  return [...namesOf(facts), ...usesOf(facts), ...databasesOf(facts), ...collectionsOf(facts)];
}

function* namesOf({ members, encryption }: Facts): Generator<string> {
  for (const name of repeated(members.map((member) => member.name))) yield `member ${name} is there twice`;
  for (const { name, compression } of members) {
    const sealed = encryption === null ? name : name.replace(/\.age$/, '');
    if (encryption !== null && sealed === name) yield `member ${name} is not named as encrypted`;
    if (encryption === null && name.endsWith('.age')) yield `member ${name} is named as encrypted`;
    if (sealed.endsWith('.zst') !== (compression === 'zstd')) yield `member ${name} is not named by its compression`;
  }
}

/** Every member is the content of one thing, of its own kind. */
function* usesOf({ members, databases, collections, file_sets }: Facts): Generator<string> {
  const uses: { readonly member: string; readonly kind: Kind }[] = [
    ...databases.map(({ member }) => ({ member, kind: 'postgres' as const })),
    ...collections.flatMap(({ member }) => (member === null ? [] : [{ member, kind: 'qdrant' as const }])),
    ...file_sets.map(({ member }) => ({ member, kind: 'files' as const })),
  ];
  for (const member of repeated(uses.map((use) => use.member))) yield `member ${member} is used twice`;
  for (const { member, kind } of uses) {
    const found = members.find(({ name }) => name === member);
    if (found === undefined) yield `member ${member} is not there`;
    else if (found.kind !== kind) yield `member ${member} is of kind ${found.kind} and used as ${kind}`;
  }
  for (const { name } of members) if (!uses.some(({ member }) => member === name)) yield `member ${name} is of nothing`;
}

function* databasesOf({ databases }: Facts): Generator<string> {
  for (const role of ['data', 'ops'] as const) {
    const found = databases.filter((database) => database.role === role).length;
    if (found !== 1) yield `${found} databases of role ${role}`;
  }
}

function* collectionsOf({ collections, file_sets }: Facts): Generator<string> {
  for (const name of repeated(collections.map((collection) => collection.name)))
    yield `collection ${name} is there twice`;
  for (const name of repeated(file_sets.map((set) => set.name))) yield `file set ${name} is there twice`;
  for (const { name, member, why } of collections) {
    if (member === null && why === null) yield `collection ${name} has no member and no reason`;
  }
}

function repeated(names: readonly string[]): string[] {
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}
