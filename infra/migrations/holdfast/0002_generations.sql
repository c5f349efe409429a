-- Projects, and what is known of them: documents and chunks as immutable incarnations, visible by generation
-- (docs/explanation/generations.md). Alive is 9007199254740991, the largest integer that every client keeps exact.

-- Row W1. What was submitted, and what was decided about it; the project itself is made by the first approval.
create table registrations (
  id uuid primary key,
  project text not null,
  kind text not null check (kind in ('new', 'refinement')),
  -- Of a refinement: the version that it was made from. It is refused when another one came first.
  base_version int,
  -- Given by the approval; null before it.
  version int,
  template text,
  spec jsonb not null,
  reason text,
  state text not null default 'proposed' check (state in ('proposed', 'approved', 'rejected', 'withdrawn')),
  proposed_by text not null,
  proposed_with text not null,
  proposed_at timestamptz not null default now(),
  decided_by text,
  decided_at timestamptz,
  decision_reason text,
  self_approved boolean not null default false,
  -- Row C11: what an importer calls it; one name, one project.
  external_id text,
  unique (project, version)
);
create index registrations_by_state on registrations (state, proposed_at);
create index registrations_by_external_id on registrations (external_id) where external_id is not null;

create table projects (
  id text primary key,
  -- Of the registration in force.
  version int not null,
  spec jsonb not null,
  -- G1, G4: numbers are given once; readers see what `visible` names. 0: nothing was ever committed.
  last_number bigint not null default 0,
  visible bigint not null default 0,
  gc_floor bigint not null default 0,
  -- G5: an operator rolled back and has not let go yet.
  held boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- Ids and aliases: one space of names, so that a name means one project.
create table project_names (
  name text primary key,
  project text not null references projects (id)
);

create table generations (
  project text not null references projects (id),
  number bigint not null check (number > 0),
  parent bigint not null,
  state text not null default 'writing'
    check (state in ('writing', 'proved', 'committed', 'rolled_back', 'discarded', 'swept')),
  wave_id uuid not null unique,
  collection text not null,
  -- The embedding identity; `none`: lexical only.
  identity text not null,
  -- G4: of the database in which it was begun.
  incarnation uuid not null,
  -- Known once it is proved: what is alive at this number.
  documents bigint,
  chunks bigint,
  begun_at timestamptz not null default now(),
  proved_at timestamptz,
  ended_at timestamptz,
  primary key (project, number)
);

-- A version of a document. A move is a new version with the same key: its chunks stay.
create table documents (
  id uuid primary key,
  project text not null references projects (id),
  -- What renames keep.
  key uuid not null,
  source text not null,
  path text not null,
  uri text,
  title text not null,
  media_type text not null,
  kind text not null default 'corpus' check (kind in ('corpus', 'trusted_operational')),
  -- Of trusted_operational: since when it holds, what view it is, and which item it takes the place of.
  as_of timestamptz,
  view text,
  -- Its name in the operator's list, and that of the item whose place it takes.
  item text,
  supersedes text,
  content_sha256 bytea not null,
  -- Parser, chunker, stemmer: what makes other chunks of the same bytes.
  pipeline text not null,
  bytes bigint not null,
  chunks int not null,
  born bigint not null,
  died bigint not null default 9007199254740991,
  check (born < died)
);
create unique index documents_alive on documents (project, source, path) where died = 9007199254740991;
create unique index documents_key_alive on documents (project, key) where died = 9007199254740991;
create index documents_of_a_key on documents (project, key, born);
create index documents_born on documents (project, born);
create index documents_died on documents (project, died) where died < 9007199254740991;

-- Text and everything that a point is made of: Qdrant can be rebuilt from here without embedding anything.
create table chunks (
  id uuid primary key,
  project text not null references projects (id),
  -- documents.key
  document uuid not null,
  ordinal int not null,
  heading text[] not null,
  -- Exact offsets into the text of the document, in UTF-16 code units; lines and pages in `place`.
  text_start int not null,
  text_end int not null,
  place jsonb not null default '{}',
  text text not null,
  kind text not null,
  -- Of what was embedded: heading and text.
  embedded_sha256 bytea not null,
  identity text not null,
  -- Terms as 32-bit hashes of stems, each once, and their BM25 weights (G10).
  terms bigint[] not null,
  weights real[] not null,
  born bigint not null,
  died bigint not null default 9007199254740991,
  check (born < died)
)
-- Rows stay whole: compressing them costs a third of the time that a wave takes to write them.
with (toast_tuple_target = 8160);
create index chunks_of_a_document on chunks (project, document, born);
-- Both, so that comparing the stores counts out of the index alone (G3).
create index chunks_born on chunks (project, born, died);
create index chunks_died on chunks (project, died) where died < 9007199254740991;

-- float32, little endian, normalised; one for equal text under one identity. It is the cache of embeddings as well.
create table vectors (
  identity text not null,
  embedded_sha256 bytea not null,
  vector bytea not null,
  vector_sha256 bytea not null,
  made_at timestamptz not null default now(),
  primary key (identity, embedded_sha256)
)
with (toast_tuple_target = 8160);

-- G10: in how many chunks a term is, by generation: born and died as everything else.
create table term_counts (
  project text not null references projects (id),
  term bigint not null,
  chunks bigint not null,
  born bigint not null,
  died bigint not null default 9007199254740991,
  primary key (project, term, born)
);
create index term_counts_born on term_counts (project, born);
create index term_counts_died on term_counts (project, died) where died < 9007199254740991;

-- Row W2, the first place: what a source held when it was last listed.
create table source_items (
  project text not null references projects (id),
  source text not null,
  path text not null,
  sha256 bytea not null,
  bytes bigint not null,
  modified_at timestamptz,
  uri text,
  -- What the source itself calls this version; equal ones are equal bytes. Null where it says nothing that can be relied on.
  version text,
  -- What an HTTP server says it is; null: its name tells.
  media_type text,
  primary key (project, source, path)
);
create index source_items_by_content on source_items (sha256);

-- A listing while it is read. It becomes source_items at once, when it is whole; a crash of the database may empty it.
create unlogged table source_incoming (
  like source_items including all,
  -- Which attempt saw it: what an earlier one left counts for nothing but its hashes.
  attempt uuid not null
);

create table source_listings (
  project text not null references projects (id),
  source text not null,
  -- The commit of a git repository; else null.
  revision text,
  items bigint not null,
  bytes bigint not null,
  -- What was left out: reason -> count and a few examples.
  skipped jsonb not null default '{}',
  listed_at timestamptz not null default now(),
  primary key (project, source)
);

-- The truth of a source of kind upload: its bytes are in the content-addressed store of the box that took them.
create table uploads (
  project text not null references projects (id),
  source text not null,
  path text not null,
  sha256 bytea not null,
  bytes bigint not null,
  box text not null,
  actor text not null,
  uploaded_at timestamptz not null default now(),
  primary key (project, source, path)
);
create index uploads_by_content on uploads (sha256);

-- The second place: what is in the content-addressed store of a box, for the next wave or from the last one.
create table staged_items (
  project text not null references projects (id),
  source text not null,
  path text not null,
  sha256 bytea not null,
  bytes bigint not null,
  box text not null,
  staged_at timestamptz not null default now(),
  primary key (project, source, path)
);
create index staged_items_by_content on staged_items (sha256);

-- Row W4: not tried again until its bytes or the pipeline change.
create table quarantine (
  project text not null references projects (id),
  source text not null,
  path text not null,
  sha256 bytea not null,
  pipeline text not null,
  reason text not null,
  detail text not null,
  at timestamptz not null default now(),
  primary key (project, source, path)
);

-- What a wave has to do, in its order, and how far it got.
create table wave_items (
  wave_id uuid not null,
  seq int not null,
  project text not null references projects (id),
  source text not null,
  path text not null,
  change text not null check (change in ('added', 'changed', 'moved', 'removed')),
  document uuid not null,
  -- Of a move.
  former_path text,
  sha256 bytea,
  bytes bigint not null default 0,
  -- `stored`: rows are written, points perhaps not. `failed`: worth another try; `quarantined`: not.
  state text not null default 'planned' check (state in ('planned', 'stored', 'written', 'failed', 'quarantined')),
  chunks int,
  embedded int,
  reason text,
  -- Of trusted_operational: what the operator's list says of it.
  listed jsonb,
  primary key (wave_id, seq)
);
create index wave_items_open on wave_items (wave_id, seq) where state in ('planned', 'stored', 'failed');

-- Question sets of a project: canaries of its waves, and of `holdfast eval`.
create table question_sets (
  project text not null references projects (id),
  name text not null,
  questions jsonb not null,
  updated_at timestamptz not null default now(),
  primary key (project, name)
);

-- Audit events of changes that are made here, written with them; carried into the operations database once each.
create table outbox (
  id uuid primary key default gen_random_uuid(),
  seq bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  type text not null,
  subject text not null,
  actor text not null,
  data jsonb not null
);
create index outbox_in_order on outbox (seq);
