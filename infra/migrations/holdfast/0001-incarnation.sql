-- The data database: what a restore swaps. Its incarnation tells one lifetime of the data from another (generations.md, G4).

create table incarnation (
  only_row boolean primary key default true check (only_row),
  id uuid not null default gen_random_uuid(),
  since timestamptz not null default now()
);
insert into incarnation default values;
