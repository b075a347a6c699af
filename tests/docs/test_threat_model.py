"""Attacks of the threat model, and the tests that play them."""

from __future__ import annotations

from docs.markdown import ROOT
from docs.tables import page, rows

#: By the number of the attack on the page.
SHOWN_BY: dict[int | str, tuple[str, ...]] = {
    1: (
        "test_every_file_and_directory_is_private_from_its_first_byte",
        "test_users_of_different_uids_do_not_share",
    ),
    2: (
        "test_a_private_directory_is_created_inside_one_that_is_not_private",
        "test_a_private_directory_that_became_readable_is_made_private_again",
    ),
    3: (
        "test_an_unusable_directory_costs_one_warning_and_no_credentials",
        "test_the_target_of_a_planted_link_is_not_changed",
    ),
    5: ("test_an_invalid_entry_counts_as_absent_and_is_replaced",),
    6: (
        "test_every_field_of_the_identity_changes_the_entry_name",
        "test_a_job_that_sts_denies_never_gets_the_credentials_of_another_job",
        "test_an_entry_under_another_name_is_not_used",
    ),
    7: (
        "test_a_file_that_is_not_an_entry_is_not_used",
        "test_an_entry_that_was_cut_or_changed_anywhere_is_not_used",
    ),
    8: (
        "test_a_read_during_a_write_returns_the_old_or_the_new_content",
        "test_a_lock_holder_killed_during_its_call_costs_one_more_call",
        "test_a_lock_holder_that_is_stopped_for_ever_does_not_stop_other_processes",
    ),
    9: (
        "test_a_full_disk_costs_one_warning",
        "test_without_locks_each_process_calls_sts_itself",
        "test_a_hanging_file_system_fails_one_refresh_only",
    ),
    10: (
        "test_no_clock_makes_credentials_younger",
        "test_an_entry_of_another_boot_is_not_used",
    ),
    11: (
        "test_no_process_takes_a_revoked_key_from_the_cache",
        "test_a_revocation_that_was_lost_is_written_again",
        "test_an_unusable_directory_costs_one_warning_and_no_credentials",
    ),
    12: ("test_a_rejected_token_does_not_stop_a_process_with_another_token",),
    13: (
        "test_users_of_different_uids_do_not_share",
        "test_two_pods_have_separate_entries",
    ),
    14: ("test_the_age_of_an_entry_counts_from_the_end_of_its_credentials",),
    "many of these together": ("test_chaos_serves_no_wrong_credentials_and_fails_no_read",),
    15: ("test_it_cannot_be_reached_by_another_address",),
    16: (
        "test_nothing_is_given_for",
        "test_each_has_a_token_of_its_own",
    ),
    17: (
        "test_nothing_is_given_for",
        "test_nothing_is_given_for_a_header_that_is_there_twice",
    ),
    18: ("test_the_tokens_file_is_private_from_its_first_byte",),
    19: (
        "test_a_slow_client_is_disconnected",
        "test_a_client_is_cut_off_at_the_deadline_though_its_bytes_never_pause",
        "test_clients_without_the_token_are_disconnected",
        "test_a_client_with_the_token_is_not_disconnected",
        "test_connections_have_a_limit_and_the_rest_wait_for_their_turn",
    ),
    20: (
        "test_a_profile_with_precedence_is_named_and_nothing_is_started",
        "test_the_metadata_service_is_disabled_by_default",
    ),
    21: (
        "test_a_refresh_ends_at_its_deadline_with_any_response",
        "test_a_slow_drip_ends_with_the_attempt",
        "test_a_redirect_is_not_followed",
    ),
    23: (
        "test_a_fifo_does_not_hang",
        "test_a_device_is_not_a_token",
    ),
    24: (
        "test_a_claim_is_one_bounded_line_without_secrets",
        "test_a_hostile_claim_does_nothing_in_a_shell",
    ),
    25: (
        "test_aliases_that_expand_without_bound_are_rejected",
        "test_too_deep_nesting_is_rejected",
    ),
    26: (
        "test_an_issuer_for_aws_must_use_https",
        "test_metadata_addresses_are_not_contacted_as_issuers",
        "test_a_public_issuer_cannot_redirect_to_a_private_address",
    ),
    "logs, errors, pickles": (
        "test_the_message_of_a_token_callable_is_masked",
        "test_no_logger_writes_during_an_sts_call",
        "test_a_program_that_debugs_http_prints_neither_token_nor_credentials",
        "test_no_response_of_sts_reveals_a_secret",
        "test_a_proxy_failure_reveals_no_password",
        "test_sessions_pickle_without_credentials",
    ),
}
#: Nothing can play a directory that is replaced between check and use, and nothing protects an
#: endpoint in the pod's own environment.
WITHOUT_A_TEST = {4, 22}


def test_every_attack_has_a_test() -> None:
    numbered = {int(row[0]) for row in rows(page("threat-model.md")) if row[0].isdigit()}
    assert numbered - {key for key in SHOWN_BY if isinstance(key, int)} == WITHOUT_A_TEST


def test_every_test_that_plays_an_attack_exists() -> None:
    names = {name for each in SHOWN_BY.values() for name in each}
    text = "".join(each.read_text() for each in ROOT.glob("tests/**/*.py"))
    assert {name for name in names if f"def {name}(" not in text} == set()
