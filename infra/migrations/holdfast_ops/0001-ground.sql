-- The operations database: what Holdfast runs, who asked for it, and what was proved. A restore never swaps it.

create table services (
  name text primary key,
  spec jsonb not null,
  desired_release text,
  desired_state text not null default 'stopped' check (desired_state in ('running', 'stopped')),
  desired_epoch bigint not null default 0,
  -- Which start of which release should be alive: the label on the process.
  desired_instance text,
  safe_mode boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create table releases (
  service text not null references services (name),
  release_id text not null,
  digest text not null,
  config_hash text not null,
  standing text not null default 'built' check (standing in ('built', 'good', 'known_bad', 'gone')),
  built_at timestamptz not null default now(),
  promoted_at timestamptz,
  primary key (service, release_id)
);

create table deploys (
  id uuid primary key,
  service text not null references services (name),
  kind text not null check (kind in ('deploy', 'rollback')),
  actor text not null,
  request jsonb not null,
  phase text not null default 'requested',
  result jsonb not null,
  workflow_id text not null,
  run_id text,
  requested_at timestamptz not null default now(),
  closed_at timestamptz
);
create index deploys_of_a_service on deploys (service, requested_at desc);

create table evidence (
  id bigint generated always as identity primary key,
  deploy_id uuid not null references deploys (id),
  "check" text not null,
  phase text not null,
  ok boolean not null,
  reason text not null,
  detail jsonb not null default '{}',
  at timestamptz not null default now(),
  -- A retried activity records its check once.
  unique (deploy_id, "check")
);

create table events (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  type text not null,
  phase text,
  subject text not null,
  actor text not null,
  deploy_id uuid,
  data jsonb not null default '{}',
  -- What makes a retried write the same event; null: every write is its own.
  once text unique
);
create index events_of_a_subject on events (subject, id);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only', tg_table_name;
end $$;
create trigger append_only before update or delete or truncate on events for each statement execute function refuse_change();

create table tokens (
  id text primary key,
  actor text not null,
  role text not null check (role in ('viewer', 'agent', 'operator', 'admin')),
  secret_sha256 bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

create table idempotency_keys (
  token_id text not null references tokens (id),
  key text not null,
  request_sha256 bytea not null,
  status int not null,
  body jsonb not null,
  created_at timestamptz not null default now(),
  primary key (token_id, key)
);

create sequence lock_tokens;
create table locks (
  resource text not null,
  mode text not null check (mode in ('shared', 'exclusive')),
  workflow_id text not null,
  run_id text not null,
  -- Fencing: larger is later; a writer whose token is gone has lost the lock.
  token bigint not null default nextval('lock_tokens'),
  taken_at timestamptz not null default now(),
  primary key (resource, run_id)
);
