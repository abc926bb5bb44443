"""The questionnaire: from answers about projects and platform to a tier, a stage and an environment's file."""

from mlstrata.environments.assessment.answers import Answers, complete, read_answers
from mlstrata.environments.assessment.assess import Assessment, assess
from mlstrata.environments.assessment.kinds import OneOf, Question
from mlstrata.environments.assessment.questions import QUESTIONS
from mlstrata.environments.assessment.template import template

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
