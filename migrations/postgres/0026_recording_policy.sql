-- Who says which of a tenant's calls are recorded.

alter table tenants add column recording text collate "C" not null default 'by_extension';
