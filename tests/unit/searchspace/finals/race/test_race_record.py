"""What a race saved, in one line and in the study."""

import optuna

from searchspace.finals.race.race_record import DroppedFinalist, DropReason, RaceRecord, read_race, write_race


def dropped(trial, trained, reason, difference=None):
    return DroppedFinalist(trial=trial, trained=trained, planned=3, reason=reason, difference=difference)


RECORD = RaceRecord(
    trainings=4, planned=9,
    dropped=(dropped(7, 1, DropReason.BEHIND, 0.091), dropped(0, 0, DropReason.HOPELESS, 0.103),
             dropped(3, 2, DropReason.DECIDED), dropped(5, 0, DropReason.BUDGET)),
    closed_form=(2,),
)  # fmt: skip


def test_a_race_says_what_it_saved_and_why():
    assert RECORD.describe("accuracy") == (
        "finals: 4 of 9 trainings, 5 saved: trial 7 dropped after 1 of 3 seeds (9.10 points behind), "
        "trial 0 not trained again (10.30 points behind in the search), trial 3 alone in the race after 2 of 3 seeds, "
        "trial 5 not trained again (no time left for it), trial 2 in closed form, which no seed changes"
    )
    assert RaceRecord(trainings=6, planned=6).describe("accuracy") == "finals: 6 of 6 trainings"


def test_a_study_keeps_it():
    study = optuna.create_study()
    assert read_race(study) is None
    write_race(study, RECORD)
    assert read_race(study) == RECORD
