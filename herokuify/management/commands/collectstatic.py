"""`collectstatic`: Django's command, with the collect engine for herokuify's storages."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.files.storage import Storage
from django.core.management.base import CommandError, CommandParser

from herokuify.collect.options import Options, Outcome
from herokuify.collect.report import Output, Progress, megabytes
from herokuify.exceptions import ConfigurationError

PRUNE = "HEROKUIFY_PRUNE_DAYS"
COMPRESS = "HEROKUIFY_COMPRESS"
#: Help for options of Django that do something else on S3, by their destination.
HELP = {
    "dry_run": "List what would be done, without doing it.",
    "clear": "On S3: after publishing, remove files that collectstatic sent and that are in "
    "neither this nor the previous release. Elsewhere: first remove all existing files.",
    "link": "Create symbolic links instead of copies. Refused on S3.",
}


class Command(collectstatic.Command):
    """Collects static files; to S3 in parallel, only changed ones, and the manifest last.

    Options have the same meaning as in Django, except that nothing is deleted before it is
    replaced: ``--clear`` removes, after publishing, files of neither this nor the previous release.
    """

    def add_arguments(self, parser: CommandParser) -> None:
        """Add ``--prune`` to Django's options, and correct their help."""
        super().add_arguments(parser)
        for action in parser._actions:  # noqa: SLF001  (argparse has no other way)
            action.help = HELP.get(action.dest, action.help)
        parser.add_argument(
            "--prune",
            type=days,
            metavar="DAYS",
            help="Remove files from S3 that have not been part of a release for DAYS days.",
        )

    def set_options(self, **options: Any) -> None:
        """Set the options, and reset the state of an earlier run."""
        super().set_options(**options)
        self.prune_days: float | None = options.get("prune")
        self.summary: str | None = None
        self.found: dict[str, tuple[Storage, str]] | None = None

    def handle(self, **options: Any) -> str | None:
        """Run, and return the summary."""
        is_compressing = not options["dry_run"] and self._is_compressing()
        if options["interactive"] and self._is_on_s3():
            self._confirm(options)
            options["interactive"] = False  # instead of Django's question
        django_summary: str | None = super().handle(**options)
        if is_compressing:
            self._compress()
        if self.summary is None:
            return django_summary
        return self.summary if self.verbosity >= 1 else None

    def _is_on_s3(self) -> bool:
        # Imported only here, because projects without S3 don't need it.
        from herokuify.storage.static import S3StaticStorage

        return isinstance(self.storage, S3StaticStorage)

    @property
    def _destination(self) -> str:
        return f"s3://{self.storage.bucket_name}/{self.storage.location.strip('/')}/"

    def _confirm(self, options: Mapping[str, Any]) -> None:
        """Ask before anything is replaced; raise CommandError unless the answer is yes."""
        message = f"This will replace files in {self._destination} with those of this release.\n"
        if options["clear"]:
            message += (
                "Then, --clear will remove files that collectstatic has uploaded there, and that "
                "are in neither this nor the previous release. It removes nothing else.\n"
            )
        if options["dry_run"]:
            message = f"This will list the changes to {self._destination} without making them.\n"
        question = (
            "Are you sure you want to do this?\n\nType 'yes' to continue, or 'no' to cancel: "
        )
        if input(f"\n{message}\n{question}") != "yes":
            raise CommandError("Collecting static files cancelled.")

    def collect(self) -> dict[str, list[str]]:
        """Collect with the engine if the storage is herokuify's, else with Django's command."""
        if self._is_on_s3():
            return self._collect_to_s3()
        if self.prune_days is not None:
            raise CommandError("--prune works only with herokuify's static storages.")
        collected: dict[str, list[str]] = super().collect()
        return collected

    def _collect_to_s3(self) -> dict[str, list[str]]:
        from herokuify.collect.project import collect
        from herokuify.collect.release import NotStagedError

        progress = self._progress()
        prune_days = _setting() if self.prune_days is None else self.prune_days
        found, collected = self._find()
        for pattern in self.storage.immutable.unused(found):
            self.stderr.write(
                f"HEROKUIFY_IMMUTABLE_FILES: {pattern!r} matches no static file from its start. "
                "Does the bundler run before collectstatic?"
            )
        try:
            outcome = collect(
                self.storage,
                found,
                Options(is_dry_run=self.dry_run, clear=self.clear, prune_days=prune_days),
                progress,
                post_process=self.post_process,
            )
        except NotStagedError as error:
            return self._collect_as_django(error)
        self._list(outcome)
        if self.clear:
            verb = "would remove" if self.dry_run else "removed"
            self.log(
                f"--clear: {verb} {len(outcome.removed)} files of neither this nor the previous "
                f"release from {self._destination}.",
                level=1,
            )
        if outcome.kept_because:
            self.log(f"Nothing was removed: {outcome.kept_because}.", level=1)
        self.summary = self._summarized(outcome, progress, len(collected.get("skipped", ())))
        sent = set(outcome.sent)
        return {
            **collected,
            "modified": [name for name in found if name in sent],
            "unmodified": [name for name in found if name not in sent],
            "post_processed": outcome.post_processed,
            "deleted": outcome.removed,
        }

    def _collect_as_django(self, reason: Exception) -> dict[str, list[str]]:
        """Use Django's command, which asks the storage about each file."""
        if self.clear or self.prune_days is not None:
            raise CommandError(f"{reason}, so --clear and --prune can't be used.")
        self.log(f"{reason}: using Django's own command, one file at a time.", level=1)
        collected: dict[str, list[str]] = super().collect()
        return collected

    def _progress(self) -> Progress:
        # Django's wrapper would add a newline to each state of the progress bar.
        output = cast(Output, self.stdout._out)  # noqa: SLF001
        return Progress(output, is_quiet=self.verbosity < 1)

    def _find(self) -> tuple[dict[str, tuple[Storage, str]], dict[str, list[str]]]:
        """Find the files with Django's command, and record them instead of copying them."""
        self.found = {}
        post_process, self.post_process = self.post_process, False
        try:
            collected = super().collect()
        finally:
            self.post_process = post_process
            found, self.found = self.found, None
        return found, collected

    def copy_file(self, path: str, prefixed_path: str, source_storage: Storage) -> None:
        """Record a file that was found, or copy it if Django's command is used."""
        if self.found is None:
            super().copy_file(path, prefixed_path, source_storage)
        else:
            self.found[prefixed_path] = source_storage, path

    def clear_dir(self, path: str) -> None:
        """Clear the folder if Django's command is used; the engine does it after publishing."""
        if self.found is None:
            super().clear_dir(path)

    def _list(self, outcome: Outcome) -> None:
        verbs = ("Would send", "Would remove") if self.dry_run else ("Sent", "Removed")
        for verb, names in zip(verbs, (outcome.sent, outcome.removed), strict=True):
            for name in names:
                self.log(f"{verb} {name!r}", level=1 if self.dry_run else 2)
        for name in outcome.unchanged:
            self.log(f"Unchanged {name!r}", level=3)

    def _summarized(self, outcome: Outcome, progress: Progress, skipped: int) -> str:
        count = len(outcome.sent) + len(outcome.unchanged)
        removal = "to remove" if self.dry_run else "removed"
        removed = f", {len(outcome.removed)} {removal}" if outcome.removed else ""
        if skipped:  # only counted by Django 6.1 and later; earlier versions log each file
            removed += f", {skipped} skipped due to conflict"
        return (
            f"{count} static file{'' if count == 1 else 's'}: {len(outcome.sent)} "
            f"{'to send' if self.dry_run else 'sent'}, {len(outcome.unchanged)} unchanged"
            f"{removed}, 0 failed; {megabytes(outcome.sent_bytes)} in {outcome.requests} requests, "
            f"{progress.seconds:.1f} s"
        )

    def _is_compressing(self) -> bool:
        """Return whether to run `compress`; raise errors now, before anything is published."""
        if not getattr(settings, COMPRESS, False):
            return False
        if not (self._is_on_s3() or getattr(settings, "COMPRESS_OFFLINE", False)):
            return False  # compressor makes the bundles when it renders pages
        if not apps.is_installed("compressor"):
            raise ConfigurationError(
                f'{COMPRESS} is set, but "compressor" is not in INSTALLED_APPS.',
                'In settings.py, below "herokuify": INSTALLED_APPS += ["compressor"]',
            )
        from herokuify.collect.offline import is_wanted

        if is_wanted():
            return True
        self.stderr.write(f"{COMPRESS}: COMPRESS_ENABLED is not True, so there are no bundles.")
        return False

    def _compress(self) -> None:
        """Run `compress`, whose bundles are uploaded by the engine, too."""
        from herokuify.collect.offline import compress

        outcome = compress(self._progress(), verbosity=self.verbosity, stdout=self.stdout)
        if outcome is not None:
            self._list(outcome)
            counts = f"{len(outcome.sent)} sent, {len(outcome.unchanged)} unchanged"
            self.log(f"Bundles of compressor: {counts}", level=1)


def days(value: str) -> float:
    """Convert a number of days, 0 or more; argparse names this function if it can't."""
    number = float(value)
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def _setting() -> float | None:
    value = getattr(settings, PRUNE, None)
    try:
        return None if value is None else days(str(value))
    except ValueError as error:
        raise ConfigurationError(
            f"{PRUNE} is {value!r}; it must be a number of days, or None.",
            f"In settings.py: {PRUNE} = 30",
        ) from error
