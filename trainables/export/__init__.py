"""The winner as artefacts that need no code of this project to run."""
