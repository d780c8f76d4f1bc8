"""All faults, in the order of docs/troubleshooting.md."""

from tests.faults import configuration, direct_uploads, operations, refusals
from tests.faults.fault import Fault

SECTIONS: dict[str, list[Fault]] = {
    "Config vars": configuration.VARIABLES,
    "Settings": configuration.SETTINGS,
    "Dynos": configuration.DYNOS,
    "Direct uploads": direct_uploads.DIRECT_UPLOADS,
    "Access to S3": refusals.ACCESS,
    "The bucket": refusals.BUCKET,
    "Permissions": refusals.PERMISSIONS,
    "Published files": operations.VISITORS,
    "Services": operations.SERVICES,
}
FAULTS = {fault.title: fault for faults in SECTIONS.values() for fault in faults}
