-- Waves, what holds generations in place, and evaluations.

create table waves (
  id uuid primary key,
  project text not null,
  name text not null,
  kind text not null check (kind in ('corpus', 'trusted_operational')),
  actor text not null,
  request jsonb not null,
  phase text not null default 'requested',
  paused boolean not null default false,
  -- Counted and priced, and what is to be said of it before it runs; null before it is planned.
  plan jsonb,
  result jsonb not null,
  approved_by text,
  approved_at timestamptz,
  workflow_id text not null,
  run_id text,
  requested_at timestamptz not null default now(),
  closed_at timestamptz
);
create index waves_of_a_project on waves (project, requested_at desc);

-- G7: nothing with born <= g and died > g may be deleted, and no died <= g changed.
create table pins (
  project text not null,
  generation bigint not null,
  owner text not null,
  at timestamptz not null default now(),
  primary key (project, generation, owner)
);

-- Evidence is of anything that is proved, not of deploys only.
alter table evidence drop constraint evidence_deploy_id_fkey;
alter table evidence rename column deploy_id to record_id;
alter table events add column wave_id uuid;

create table evaluations (
  id uuid primary key,
  -- A project's question set, or the name of a folder of a public collection.
  subject text not null,
  project text,
  generation bigint,
  question_set text not null,
  settings jsonb not null,
  result jsonb not null,
  actor text not null,
  at timestamptz not null default now()
);
create index evaluations_of_a_subject on evaluations (subject, at desc);
