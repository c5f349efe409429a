-- When what a run had left was taken away; a run that has left nothing is looked at no more.
alter table backup_runs add column tidied_at timestamptz;
