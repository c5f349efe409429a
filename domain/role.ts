/** Row O2, weakest first. `agent` is beside operating: it reads, and proposes where a row says so. */
export const roles = ['viewer', 'agent', 'operator', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Does a token of role `held` allow what asks for `needed`? */
export function allows(held: Role, needed: Role): boolean {
  return roles.indexOf(held) >= roles.indexOf(needed);
}
