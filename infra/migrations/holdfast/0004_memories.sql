-- Row C6, rule G12. Memories are outside of generations: rows first, points after, points made what the rows say at boot and after
-- every restore. A memory never changes, but for what takes its place.

create table memories (
  id uuid primary key,
  type text not null check (type in ('identity', 'preference', 'project', 'episodic', 'knowledge', 'adaptation')),
  -- Null: of no project.
  project text references projects (id),
  text text not null,
  -- {kind, uri?, reference?}
  provenance jsonb not null,
  confidence double precision not null check (confidence between 0 and 1),
  -- Ids of memories that may be forgotten by now: a chain does not keep what was to be forgotten.
  supersedes uuid,
  superseded_by uuid,
  -- Terms as 32-bit hashes of stems, each once, and their BM25 weights, as those of chunks.
  terms bigint[] not null,
  weights real[] not null,
  actor text not null,
  -- As clients see it, so that a page can begin where another one ended.
  created_at timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
  expires_at timestamptz,
  check (type <> 'project' or project is not null)
);
create index memories_by_time on memories (project, created_at desc, id desc);
create index memories_by_term on memories using gin (terms);

-- float32, little endian, normalised. Not in `vectors`: what is forgotten takes its vector with it, and no garbage collection of chunks meets it.
create table memory_vectors (
  memory uuid not null references memories (id) on delete cascade,
  identity text not null,
  vector bytea not null,
  vector_sha256 bytea not null,
  primary key (memory, identity)
);

-- What memories are answered from. The collection is named by these and by the name of the database, so that a copy never
-- touches the points of what it was copied from.
create table memory_index (
  only_row boolean primary key default true check (only_row),
  space uuid not null default gen_random_uuid(),
  identity text not null
);
