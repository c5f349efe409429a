import type { GivenPolicy, ProjectPolicy } from './policy.ts';
import { givenSpecSchema, projectSpecSchema, type GivenSpec, type ProjectSpec, type TemplateName } from './schemas.ts';
import type { GivenSource, SourceLimits, SourceSpec } from './source.ts';

interface SourceDefaults {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly limits: SourceLimits;
}

export interface Template {
  readonly description: string;
  readonly sources: SourceDefaults;
  readonly policy: ProjectPolicy;
}

const megabyte = 1_048_576;
const hidden = ['**/.*', '**/.*/**'];
const built = ['node_modules', 'dist', 'build', 'target', 'vendor', 'out', '__pycache__', 'venv'];

const plain: Template = {
  description: 'Everything in its sources, hidden files left out; waves need no approval.',
  sources: {
    include: ['**'],
    exclude: hidden,
    limits: { max_file_bytes: 50 * megabyte, max_files: 100_000, max_bytes: 20_480 * megabyte },
  },
  policy: {
    wave_approval: 'none',
    canary: { question_set: null, metric: 'ndcg_at_10', max_drop: 0.1, least: 0 },
    evaluation: {
      ...{ max_ambiguity: null, max_meta_share: null, min_own_share: null },
      ...{ min_trusted_share: null, max_trusted_share: null },
    },
    refresh: { schedule: null, webhook: false },
    trusted_waves: [],
  },
};

export const templates: Readonly<Record<TemplateName, Template>> = {
  plain,
  notes: {
    ...plain,
    description: 'Notes and documents of people: text, office files, notebooks and tables.',
    sources: {
      ...plain.sources,
      include: ['**/*.{md,markdown,txt,rst,org,html,htm,pdf,docx,csv,json,ipynb}'],
      exclude: [...hidden, '**/node_modules/**'],
    },
  },
  code: {
    ...plain,
    description: 'A repository: its code and its documents, without what is built or belongs to others.',
    sources: {
      ...plain.sources,
      exclude: [
        ...hidden,
        ...built.map((folder) => `**/${folder}/**`),
        ...['**/*.{min.js,min.css,map,lock}', '**/package-lock.json'],
      ],
      limits: { ...plain.sources.limits, max_file_bytes: megabyte },
    },
    policy: { ...plain.policy, refresh: { schedule: null, webhook: true } },
  },
  website: {
    ...plain,
    description: 'Pages that others publish: looked at once a day, few and small.',
    sources: {
      ...plain.sources,
      limits: { max_file_bytes: 10 * megabyte, max_files: 2_000, max_bytes: 1_024 * megabyte },
    },
    policy: { ...plain.policy, refresh: { schedule: { every_ms: 86_400_000 }, webhook: false } },
  },
  uploads: {
    ...plain,
    description: 'Files that are handed over: a person looks at each plan before it runs.',
    policy: { ...plain.policy, wave_approval: 'required' },
  },
};

/**
 * A whole specification of what was given. It is not checked here: what the template has not and nobody gave is missing,
 * and projectSpecSchema says so.
 */
export function filledIn(given: GivenSpec, { sources, policy }: Template, box: string): unknown {
  return {
    description: '',
    aliases: [],
    box,
    ...defined(given),
    ...(given.sources === undefined ? {} : { sources: given.sources.map((source) => wholeSource(source, sources)) }),
    policy: wholePolicy(given.policy ?? {}, policy),
  };
}

/** What is named takes the place of what was; a source is known by its name and keeps what it is not told. */
export function refined(base: ProjectSpec, given: GivenSpec, { sources }: Template = plain): unknown {
  const before = new Map(base.sources.map((source) => [source.name, source]));
  return {
    ...base,
    ...defined(given),
    ...(given.sources === undefined
      ? {}
      : { sources: given.sources.map((source) => wholeSource(source, before.get(source.name) ?? sources)) }),
    policy: wholePolicy(given.policy ?? {}, base.policy),
  };
}

/** A specification of an earlier version, with what came later filled in. */
export function storedSpec(stored: unknown): ProjectSpec {
  const given = givenSpecSchema.parse(stored);
  return projectSpecSchema.parse(filledIn(given, plain, given.box ?? ''));
}

function wholeSource(given: GivenSource, { include, exclude, limits }: SourceDefaults): SourceSpec {
  return {
    ...given,
    include: given.include ?? [...include],
    exclude: given.exclude ?? [...exclude],
    limits: { ...limits, ...defined(given.limits ?? {}) },
  };
}

function wholePolicy(given: GivenPolicy, base: ProjectPolicy): ProjectPolicy {
  return {
    ...base,
    ...defined(given),
    canary: { ...base.canary, ...defined(given.canary ?? {}) },
    evaluation: { ...base.evaluation, ...defined(given.evaluation ?? {}) },
    refresh: { ...base.refresh, ...defined(given.refresh ?? {}) },
  };
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function defined<T extends object>(given: T): Defined<T> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as Defined<T>;
}
