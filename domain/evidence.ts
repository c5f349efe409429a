import { z } from 'zod';

/** The outcome of a check of a deploy, a wave, or whatever else is proved, on its way into the records. */
export interface NewCheck<Phase extends string> {
  readonly check: string;
  readonly phase: Phase;
  readonly ok: boolean;
  readonly reason: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** The same as the API shows it. `id`: the name of its schema. */
export function evidenceSchemaOf<const Phases extends readonly [string, ...string[]]>(phases: Phases, id: string) {
  return z
    .object({
      check: z.string().meta({ examples: ['watch.candidate', 'canary'] }),
      phase: z.enum(phases),
      ok: z.boolean(),
      reason: z.string(),
      detail: z.record(z.string(), z.unknown()),
      at: z.iso.datetime(),
    })
    .meta({ id, description: 'The recorded outcome of a check.' });
}
