-- Row O2: what a token may see. Null: all projects.
alter table tokens add column projects text[] check (cardinality(projects) > 0);
