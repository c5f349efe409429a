/** What is done to the copy of a point so that it must not pass, and at which level that must come out. */
export const damageKinds = {
  /** One bit of a member is another. */
  bit: 'L0',
  /** A member ends in its middle. */
  cut: 'L0',
  missing: 'L0',
  /** The bytes are those of the manifest; a row is changed behind the dump, as by a restore that went wrong. */
  row: 'L2',
} as const;
export type DamageKind = keyof typeof damageKinds;

export interface Damage {
  readonly kind: DamageKind;
  /** Of the member; null: of the restored database. */
  readonly member: string | null;
  /** Of a bit: which byte. Of a cut: how much is left. */
  readonly at: number;
}

/** Another one each time, and the same for the same drill. `seed`: any whole number. */
export function chooseDamage(
  members: readonly { readonly name: string; readonly stored: { readonly bytes: number } }[],
  seed: number,
): Damage {
  const kinds = Object.keys(damageKinds) as DamageKind[];
  const kind = kinds[seed % kinds.length] ?? 'bit';
  const hit = members[Math.floor(seed / kinds.length) % Math.max(1, members.length)];
  if (kind === 'row' || hit === undefined) return { kind: 'row', member: null, at: 0 };
  const at = Math.floor(seed / 97) % Math.max(1, hit.stored.bytes);
  return { kind, member: hit.name, at };
}

/** Of an id in hexadecimal digits. */
export function seedOf(id: string): number {
  return Number.parseInt(id.replaceAll('-', '').slice(-8), 16);
}

export function sayDamage({ kind, member, at }: Damage): string {
  if (kind === 'row') return 'a row is changed behind the dump';
  const what = { bit: `a bit of byte ${at} is flipped`, cut: `it ends after ${at} bytes`, missing: 'it is taken away' };
  return `${member ?? ''}: ${what[kind]}`;
}
