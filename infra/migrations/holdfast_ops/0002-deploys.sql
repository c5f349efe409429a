-- What a deploy pins, what an operator says to it, and what is known of a release beyond its bits.

-- One start of one release with everything it is started with: written before anything is started.
create table instances (
  instance text primary key,
  -- The order of a service's log.
  seq bigint generated always as identity unique,
  service text not null references services (name),
  release_id text not null,
  deploy_id uuid not null references deploys (id),
  run_id text not null,
  role text not null check (role in ('candidate', 'rollback')),
  spec jsonb not null,
  config_hash text not null,
  digest text not null,
  port int,
  provenance jsonb not null,
  -- False once it was given up: a start that comes late must not undo that.
  wanted boolean not null default true,
  created_at timestamptz not null default now()
);
create index instances_of_a_service on instances (service, seq);

-- Row D9. What a person submitted is a row before a workflow waits on it; refused ones stay too.
create table overrides (
  id uuid primary key,
  deploy_id uuid not null,
  action text not null,
  target text,
  extend_ms int,
  force boolean not null default false,
  reason text not null,
  actor text not null,
  role text not null,
  expires_at timestamptz,
  accepted boolean,
  refusal text,
  at timestamptz not null default now()
);
create index overrides_of_a_deploy on overrides (deploy_id, at);

-- The specification that this deploy works with, whatever is registered meanwhile.
alter table deploys add column spec jsonb;

alter table releases
  add column branch text,
  add column committed_at timestamptz,
  add column schema_version int,
  add column schema_reads_to int,
  -- What it was proved with: what a rollback to it starts.
  add column promoted_spec jsonb,
  add column soaked_at timestamptz,
  add column last_deploy_id uuid,
  add column deployed_by text,
  add column deployed_at timestamptz,
  add column outcome text;

-- Bad for so long, not bad so many times: a row of probes that time out takes longer than one that is refused.
update services set spec = jsonb_set(
  spec #- '{watch,unhealthy_after}', '{watch,unhealthy_ms}',
  to_jsonb(greatest(100, (spec #>> '{watch,unhealthy_after}')::int * (spec #>> '{watch,period_ms}')::int)))
where spec #> '{watch,unhealthy_after}' is not null;
