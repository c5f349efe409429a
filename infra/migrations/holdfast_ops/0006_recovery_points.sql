-- Recovery points, their copies elsewhere, and what is done with them: made, checked, pruned, restored, rehearsed.

-- The catalog (row B4): what the manifests of a box say, and what has become of its points since. Made again from the folders at
-- any time; only pins and judgements are known here alone.
create table recovery_points (
  stamp text primary key,
  -- The one it lies at: a point that was pulled from elsewhere names its own box in its manifest.
  box text not null,
  taken_at timestamptz not null,
  manifest jsonb not null,
  stored_bytes bigint not null,
  -- missing: its folder should be there and is not.
  place text not null default 'kept' check (place in ('kept', 'trash', 'purged', 'missing')),
  -- damaged: a check that it passed before has failed since. Retention does not count it, and nothing restores it.
  standing text not null default 'good' check (standing in ('good', 'damaged')),
  -- {level, at, reason, backup_id}; null: good.
  damage jsonb,
  -- Level -> when it was passed last.
  proved jsonb not null default '{}',
  pinned_by text,
  pinned_at timestamptz,
  pin_reason text,
  recorded_at timestamptz not null default now(),
  trashed_at timestamptz,
  purged_at timestamptz
);
create index recovery_points_by_time on recovery_points (taken_at desc, stamp desc);

-- One run of the backup pipeline: a point made, a point validated, points pruned. Its checks are `evidence` by record_id = id.
create table backup_runs (
  id uuid primary key,
  kind text not null check (kind in ('create', 'validate', 'prune', 'pull')),
  -- Of the point that it is about; of an attempt of a copy that is under way; null for prune.
  stamp text,
  box text not null,
  actor text not null,
  trigger text not null,
  request jsonb not null,
  phase text not null default 'requested',
  -- How far it is, told every few seconds; null where there is nothing to tell.
  progress jsonb,
  result jsonb not null,
  workflow_id text not null,
  run_id text,
  requested_at timestamptz not null default now(),
  closed_at timestamptz
);
create index backup_runs_newest on backup_runs (requested_at desc, id desc);
alter table events add column backup_id uuid;

-- Row B10: what Temporal's schedules are made from.
create table schedules (
  name text primary key,
  action text not null,
  box text not null,
  -- {cron} or {every_ms}.
  timing jsonb not null,
  -- What the run is asked for.
  request jsonb not null,
  enabled boolean not null default true,
  actor text not null,
  changed_at timestamptz not null default now()
);

-- Other places that recovery points are kept at. `spec` names files and variables of secrets, never their values.
create table offsite_targets (
  name text primary key,
  -- What its marker at the other place says: an empty disk is not one that was wiped, and another's is never written to.
  id uuid not null,
  -- The box whose recovery points it gets, and that speaks to it.
  box text not null,
  spec jsonb not null,
  enabled boolean not null default true,
  actor text not null,
  changed_at timestamptz not null default now(),
  -- As it was when it was looked at last, and since when it has been so.
  state text not null default 'unknown' check (state in ('unknown', 'reachable', 'away', 'full', 'refused')),
  reason text,
  since timestamptz not null default now(),
  looked_at timestamptz
);

-- A point at a target. It counts as off-host when its state is `verified`: every byte was read back.
create table offsite_copies (
  stamp text not null,
  target text not null references offsite_targets (name) on delete cascade,
  state text not null check (state in ('uploading', 'verified', 'damaged', 'refused')),
  bytes bigint not null default 0,
  total_bytes bigint not null,
  reason text,
  begun_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  -- When it was last read back whole; a copy that was found damaged since keeps the time at which it was whole.
  verified_at timestamptz,
  primary key (stamp, target)
);
create index offsite_copies_of_a_target on offsite_copies (target, stamp desc);

-- Row B6. A restore: what was asked, how far it is, and where both sides of the swap are found again after a crash.
create table restores (
  id uuid primary key,
  stamp text not null,
  box text not null,
  actor text not null,
  trigger text not null check (trigger in ('operator', 'drill')),
  request jsonb not null,
  phase text not null default 'requested',
  result jsonb not null,
  -- Names and oids of the databases, the incarnations, collections and folders of both sides; null before anything is beside.
  journal jsonb,
  workflow_id text not null,
  run_id text,
  requested_at timestamptz not null default now(),
  -- While it is held: until when the old side is kept.
  held_until timestamptz,
  closed_at timestamptz
);
create index restores_newest on restores (requested_at desc, id desc);
alter table events add column restore_id uuid;

-- Row B9. A rehearsed restore: what it did, how long each phase took, and what came of it. Its checks are `evidence` by its id.
create table drills (
  id uuid primary key,
  level text not null check (level in ('scratch', 'live')),
  -- From where the point came: of this box, or read back from the off-host copy. `target`: which one.
  origin text not null check (origin in ('local', 'offsite')),
  target text,
  -- A copy was damaged on purpose: it must not pass.
  damaged boolean not null,
  -- The point, once it is picked.
  stamp text,
  box text not null,
  actor text not null,
  trigger text not null check (trigger in ('operator', 'schedule')),
  workflow_id text not null,
  run_id text,
  phase text not null,
  outcome text check (outcome in ('passed', 'failed', 'damage_found', 'damage_missed', 'refused')),
  failure_reason text,
  -- Phase -> ms, and `total`.
  rto jsonb not null default '{}',
  -- Age of the newest proven point (L2) when the drill began, in seconds.
  rpo_seconds bigint,
  -- Of a live drill: the memory that must be gone after it.
  marker uuid,
  requested_at timestamptz not null default now(),
  closed_at timestamptz
);
create index drills_by_time on drills (requested_at desc, id);
