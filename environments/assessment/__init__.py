"""The questionnaire: from answers about projects and platform to a tier, a stage and an environment's file."""

from environments.assessment.answers import Answers, complete, read_answers
from environments.assessment.assess import Assessment, assess
from environments.assessment.kinds import OneOf, Question
from environments.assessment.questions import QUESTIONS
from environments.assessment.template import template

__all__ = [
    "QUESTIONS",
    "Answers",
    "Assessment",
    "OneOf",
    "Question",
    "assess",
    "complete",
    "read_answers",
    "template",
]
