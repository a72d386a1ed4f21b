"""Text search, and an audit trail that the database itself keeps append-only (threat M6)."""

from django.contrib.postgres.operations import TrigramExtension, UnaccentExtension
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
REMOVE = """
DROP TRIGGER hub_audit_rows_stay ON hub_auditentry;
DROP FUNCTION hub_audit_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("hub", "0001_initial")]
    operations = [
        TrigramExtension(),
        UnaccentExtension(),
        migrations.RunSQL(APPEND_ONLY, REMOVE),
    ]
