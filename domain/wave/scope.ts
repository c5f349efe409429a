import { PermanentFailure } from '../failures.ts';
import type { TrustedItem } from '../project/policy.ts';
import type { ProjectSpec } from '../project/schemas.ts';
import type { WaveRequest } from './schemas.ts';

type Scope = Pick<WaveRequest, 'kind' | 'name' | 'sources'>;
type Registered = Pick<ProjectSpec, 'sources' | 'policy'>;

/** The items of a wave of `trusted_operational` are those that an operator has named under the wave's name. */
export function trustedItems(spec: Registered, { kind, name }: Scope): readonly TrustedItem[] {
  if (kind === 'corpus') return [];
  const wave = spec.policy.trusted_waves.find((each) => each.name === name);
  if (wave === undefined) throw new PermanentFailure('WaveUnknown', `The project lists no items for a wave ${name}`);
  return wave.items;
}

/** The sources that a wave lists, compares and stages, by name. Throws PermanentFailure `WaveUnknown` or `SourceUnknown`. */
export function sourcesOf(spec: Registered, request: Scope): readonly string[] {
  const registered = spec.sources.map(({ name }) => name);
  const wanted =
    request.kind === 'corpus'
      ? (request.sources ?? registered)
      : [...new Set(trustedItems(spec, request).map(({ source }) => source))];
  const unknown = wanted.filter((name) => !registered.includes(name));
  if (unknown.length > 0)
    throw new PermanentFailure('SourceUnknown', `The project has no source ${unknown.join(', ')}`);
  return wanted;
}
