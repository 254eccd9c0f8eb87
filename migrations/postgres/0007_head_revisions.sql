-- The revision that a tenant's head equals; null after an edit, until one is taken again. So a plan need not read what
-- nobody edited. No reference: revisions refer to their tenant already, and neither could be deleted first.

alter table tenants add column head_revision_id uuid;
