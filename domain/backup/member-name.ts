import type { Member } from './manifest.ts';

/** `name` without the endings that say how it is stored, as `qdrant-notes.snapshot`. */
export function memberFileName(name: string, compression: Member['compression'], encrypted: boolean): string {
  return `${name}${compression === 'zstd' ? '.zst' : ''}${encrypted ? '.age' : ''}`;
}

export function isEncrypted({ name }: Pick<Member, 'name'>): boolean {
  return name.endsWith('.age');
}
