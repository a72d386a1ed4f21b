"""What the database itself keeps: the audit trail append-only (threat M6), entries of the search."""

from django.db import migrations

APPEND_ONLY = """
CREATE FUNCTION hub_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'The audit trail is append-only: % is refused.', TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER hub_audit_rows_stay BEFORE UPDATE OR DELETE ON hub_auditentry
    FOR EACH ROW EXECUTE FUNCTION hub_audit_append_only();
"""
DROP_AUDIT = """
DROP TRIGGER hub_audit_rows_stay ON hub_auditentry;
DROP FUNCTION hub_audit_append_only();
"""

# The entry is written by the database itself: whoever changes a repository, in whatever way, no
# list, count or suggestion is late about who may see it.
KEEP_ENTRIES = """
CREATE FUNCTION hub_searchentry_keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    owner text := (SELECT slug FROM hub_namespace WHERE id = NEW.namespace_id);
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO hub_searchentry (
            repository_id, kind, namespace_id, is_public, name, label, document, heading,
            facets, likes, modified_at, downloads, heat, seen_likes, seen_discussions, lot
        ) VALUES (
            NEW.id, NEW.kind, NEW.namespace_id, NEW.visibility = 'public', lower(NEW.name),
            lower(owner || '/' || NEW.name), '', '', '{}', NEW.likes, NEW.last_modified_at,
            NEW.downloads,
            power(2, extract(epoch FROM NEW.created_at - '2026-01-01 00:00Z') / 604800),
            NEW.likes, NEW.last_discussion_number, floor(random() * 1000)
        );
    ELSE
        UPDATE hub_searchentry SET
            kind = NEW.kind, namespace_id = NEW.namespace_id,
            is_public = NEW.visibility = 'public', name = lower(NEW.name),
            label = lower(owner || '/' || NEW.name), likes = NEW.likes,
            modified_at = NEW.last_modified_at
        WHERE repository_id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER hub_searchentry_made AFTER INSERT ON hub_repository
    FOR EACH ROW EXECUTE FUNCTION hub_searchentry_keep();
CREATE TRIGGER hub_searchentry_kept
    AFTER UPDATE OF kind, namespace_id, visibility, name, likes, last_modified_at ON hub_repository
    FOR EACH ROW WHEN (
        (OLD.kind, OLD.namespace_id, OLD.visibility, OLD.name, OLD.likes, OLD.last_modified_at)
        IS DISTINCT FROM
        (NEW.kind, NEW.namespace_id, NEW.visibility, NEW.name, NEW.likes, NEW.last_modified_at)
    ) EXECUTE FUNCTION hub_searchentry_keep();
"""
DROP_ENTRIES = """
DROP TRIGGER hub_searchentry_kept ON hub_repository;
DROP TRIGGER hub_searchentry_made ON hub_repository;
DROP FUNCTION hub_searchentry_keep();
"""


class Migration(migrations.Migration):
    dependencies = [("hub", "0001_initial")]
    operations = [
        migrations.RunSQL(APPEND_ONLY, DROP_AUDIT),
        migrations.RunSQL(KEEP_ENTRIES, DROP_ENTRIES),
    ]
