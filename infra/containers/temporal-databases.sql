-- Run once, when Postgres makes its data folder: a role of Temporal's own, which cannot read what is Holdfast's.
\set password `cat /run/secrets/temporal_database_password`
create role temporal login password :'password';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
