"""The one table of questions; everything else in the questionnaire reads it."""

from __future__ import annotations

from mlstrata.environments.assessment.kinds import NONE, Choice, HowMany, OneOf, Question, Some, Words
from mlstrata.environments.spec.data import Source
from mlstrata.environments.spec.risk import AnnexIII, Condition, Role
from mlstrata.environments.spec.text import Document, Email, Name, Text
from mlstrata.environments.stages import Capability

_C = Capability

PLATFORM, SYSTEM = "platform", "system"
_YES, _NO = "yes", "no"

POINTS: dict[AnnexIII, str] = {
    AnnexIII.REMOTE_IDENTIFICATION: "identifies people from afar by biometrics (not: verifies who they say they are)",
    AnnexIII.BIOMETRIC_CATEGORISATION: "sorts people by sensitive attributes from their biometrics",
    AnnexIII.EMOTION_RECOGNITION: "recognises emotions",
    AnnexIII.CRITICAL_INFRASTRUCTURE: "keeps critical infrastructure safe: traffic, water, gas, heat, power, networks",
    AnnexIII.EDUCATION_ADMISSION: "decides on admission to education",
    AnnexIII.EDUCATION_OUTCOMES: "evaluates what a person learnt",
    AnnexIII.EDUCATION_LEVEL: "decides which level of education a person gets",
    AnnexIII.EXAM_MONITORING: "watches exams for cheating",
    AnnexIII.RECRUITMENT: "recruits: targets job adverts, filters or evaluates applicants",
    AnnexIII.WORK_DECISIONS: "decides on terms of work, promotion, dismissal or tasks, or watches workers",
    AnnexIII.PUBLIC_BENEFITS: "decides on public benefits or services, health care included",
    AnnexIII.CREDITWORTHINESS: "judges creditworthiness (not: finds financial fraud)",
    AnnexIII.INSURANCE_PRICING: "judges risk or price of life or health insurance",
    AnnexIII.EMERGENCY_DISPATCH: "sorts emergency calls or patients, or dispatches help",
    AnnexIII.VICTIM_RISK: "law enforcement: the risk of becoming a victim",
    AnnexIII.LAW_ENFORCEMENT_POLYGRAPH: "law enforcement: lie detection",
    AnnexIII.EVIDENCE_RELIABILITY: "law enforcement: how reliable evidence is",
    AnnexIII.OFFENDING_RISK: "law enforcement: the risk of offending, not by profiling alone",
    AnnexIII.INVESTIGATION_PROFILING: "law enforcement: profiling in investigations",
    AnnexIII.MIGRATION_POLYGRAPH: "migration: lie detection",
    AnnexIII.ENTRY_RISK: "migration: the risk posed by a person who enters",
    AnnexIII.ASYLUM_EXAMINATION: "migration: examines applications for asylum, visa or residence",
    AnnexIII.MIGRATION_IDENTIFICATION: "migration: identifies people (not: verifies travel documents)",
    AnnexIII.JUDICIAL_ASSISTANCE: "helps courts or arbiters to research or apply the law",
    AnnexIII.ELECTION_INFLUENCE: "is meant to influence votes",
}
CONDITIONS: dict[Condition, str] = {
    Condition.NARROW_TASK: "it does a narrow procedural task",
    Condition.IMPROVES_HUMAN_RESULT: "it improves what a person has finished",
    Condition.DETECTS_PATTERNS: "it finds patterns in decisions, and replaces none",
    Condition.PREPARATORY_TASK: "it only prepares an assessment",
}
PRACTICES = (
    Choice("manipulation", "manipulates people to their harm, below their awareness or by deceit"),
    Choice("vulnerability", "exploits age, disability or need to people's harm"),
    Choice("social_scoring", "scores people by behaviour or traits, so that they are treated worse elsewhere"),
    Choice("crime_prediction", "predicts crimes of a person from profiling alone"),
    Choice("face_scraping", "builds a database of faces from the internet or cameras, untargeted"),
    Choice("emotions_at_work", "reads emotions at work or in education, other than for health or safety"),
    Choice("sensitive_categorisation", "infers race, beliefs, union membership or sex life from biometrics"),
    Choice("public_identification", "identifies people in public, in real time, for law enforcement"),
    Choice("intimate_images", "makes intimate images of people without their consent"),
    Choice("child_abuse_images", "makes images of the sexual abuse of children"),
)

QUESTIONS: tuple[Question, ...] = (
    Words("environment", PLATFORM, "What is the environment called?", "assessed", Name, "prod"),
    Words("owner", PLATFORM, "Who is its owner (e-mail)?", NONE, Email, "platform@example.com"),
    OneOf("target", PLATFORM, "Where will it run?", "local", (
        Choice("local", "on one machine"),
        Choice("kubernetes", "on a cluster that exists"),
        Choice("aws", "in an AWS account, made from nothing"),
    )),
    HowMany("teams", PLATFORM, "How many teams will share it?", 1, 1, 200, (
        (2, (_C.TEAMS,), "Several teams need quotas and costs of their own."),
    )),
    HowMany("team_size", PLATFORM, "How many people will build models on it?", 3, 1, 10_000, (
        (2, (_C.TRACKING,), "Two people's experiments need one place to compare them."),
    )),
    HowMany("models", PLATFORM, "How many models will be in use in a year?", 1, 1, 10_000, (
        (2, (_C.CATALOG,), "With several models, which data each of them uses must be known."),
        (10, (_C.ROLLOUT,), "So many releases need a judge that is not a person."),
        (20, (_C.RETIREMENT,), "With so many in use, the old ones must go in an orderly way."),
    )),
    Some("shared", PLATFORM, "What shall teams share?", (), (
        Choice("experiments", "one place for experiments", (_C.TRACKING,), "Experiments are compared in one place."),
        Choice("pipelines", "steps of pipelines", (_C.STEP_PACKAGES,), "Shared steps get versions of their own."),
        Choice("features", "features", (_C.FEATURE_STORE,), "Shared features come from one store."),
        Choice("portal", "one page for everyone", (_C.PORTAL,), "Everyone starts from one page."),
    )),
    Some("compliance", PLATFORM, "Which rules apply besides the AI Act?", (), (
        Choice("gdpr", "data protection", (_C.REGULATORY_TESTS,), "Personal data must be found first."),
        Choice("iso_42001", "an AI management system", (_C.CATALOG, _C.MONITORING), "It asks for both."),
        Choice("finance", "supervision of banks or insurers", (_C.RECORDING, _C.BACKUP),
               "Decisions must be answerable years later."),
        Choice("health", "medical law", (_C.ENCRYPTION, _C.RECORDING), "Health data needs keys of one's own."),
        Choice("own_keys", "keys in one's own hands", (_C.ENCRYPTION, _C.SECRETS), "They stay in one's own hands."),
    )),
    OneOf("skills", PLATFORM, "What can the people who will run it do?", "software", (
        Choice("notebooks", "they work in notebooks"),
        Choice("software", "they build and test software"),
        Choice("operations", "they run services around the clock"),
    )),
    OneOf("budget", PLATFORM, "What may it cost?", "modest", (
        Choice("minimal", "one existing machine"),
        Choice("modest", "some servers"),
        Choice("watched", "more, and the costs are accounted for", (_C.COST,), "Spending is watched."),
    )),
    OneOf("accelerators", PLATFORM, "Does training need GPUs?", "no", (
        Choice("no", "no"),
        Choice("one", "one at a time", (_C.GPU_POOLS,), "Accelerators come and go with the work."),
        Choice("several", "several at once", (_C.GPU_POOLS, _C.DISTRIBUTED_TRAINING), "A step takes several machines."),
    )),
    Words("system", SYSTEM, "What is the system called?", "first-system", Name, "mortgage-approval"),
    Words("purpose", SYSTEM, "What is it for, in a sentence?", None, Text,
          "Estimate the risk that an application is denied, to support an underwriter."),
    OneOf("practice", SYSTEM, "Does it do anything that Article 5 of the AI Act prohibits?", None, (
        Choice(NONE, "nothing of the following"), *PRACTICES,
    )),
    OneOf("annex_iii", SYSTEM, "Which point of Annex III does its purpose fall under?", None, (
        Choice(NONE, "none of the following"), *(Choice(point.value, text) for point, text in POINTS.items()),
    )),
    OneOf("annex_i", SYSTEM, "Is it, or does it keep safe, a product under Annex I (machine, toy, car, implant)?",
          None, (Choice(_NO, "no"), Choice(_YES, "yes, and others must assess it"))),
    OneOf("profiling", SYSTEM, "Does it evaluate aspects of people: work, money, health, behaviour, place?", None, (
        Choice(_NO, "no"), Choice(_YES, "yes: it profiles people"),
    )),
    OneOf("exemption", SYSTEM, "If Annex III applies: which condition of Article 6(3) takes it out?", NONE, (
        Choice(NONE, "none"), *(Choice(condition.value, text) for condition, text in CONDITIONS.items()),
    )),
    Words("exemption_memo", SYSTEM, "If a condition applies: where is that documented (Article 6(4))?", NONE, Document,
          "docs/risk/memo.md"),
    OneOf("contact", SYSTEM, "Do people talk to it, or does it make text, images, sound or video?", None, (
        Choice(_NO, "neither"), Choice("talks", "people talk to it"), Choice("makes", "it makes content"),
    )),
    OneOf("role", SYSTEM, "What are you to the system in the Act's sense?", "deployer",
          tuple(Choice(role.value, role.value) for role in Role)),
    OneOf("public", SYSTEM, "Are you a public body, or does it help to provide a public service?", "no", (
        Choice(_NO, "neither"), Choice("body", "a public body, or on behalf of one"),
        Choice("service", "a private body that provides a public service: health, schools, housing …"),
    )),
    OneOf("data_clean", SYSTEM, "Is its data clean?", "unknown", (
        Choice("yes", "checked where it is made"),
        Choice("mostly", "some of it is wrong", (_C.DATA_QUALITY,), "Bad data is stopped at the first step."),
        Choice("no", "much of it is wrong", (_C.DATA_QUALITY, _C.DATA_VERSIONING),
               "Bad data is stopped, and what was trained on is known."),
        Choice("unknown", "not examined yet", (_C.DATA_QUALITY,), "Tests find what was not examined."),
    )),
    OneOf("personal_data", SYSTEM, "Does its data hold personal data?", "no", (
        Choice("no", "no"),
        Choice("yes", "yes", (_C.REGULATORY_TESTS,), "Personal data must be found before it is trained on."),
        Choice("special", "yes, and special categories (health, origin, beliefs …)", (_C.REGULATORY_TESTS, _C.FAIRNESS),
               "Differences between groups show only over many decisions."),
    )),
    Words("data_source", SYSTEM, "Where is its training data?", NONE, Source, "s3://bucket/key.parquet"),
    OneOf("data_cadence", SYSTEM, "How often does new data come?", "monthly", (
        Choice("never", "it stays as it is"),
        Choice("monthly", "every month or less often"),
        Choice("weekly", "every week", (_C.PIPELINES,), "A weekly training must not need a person."),
        Choice("daily", "every day", (_C.PIPELINES, _C.DATA_VERSIONING), "Daily data needs versions, and a schedule."),
        Choice("continuous", "all the time", (_C.PIPELINES, _C.DATA_VERSIONING, _C.MONITORING),
               "What changes all the time drifts."),
    )),
    OneOf("training", SYSTEM, "Where is it trained?", "job", (
        Choice("notebook", "by hand, in a notebook"),
        Choice("job", "by one script"),
        Choice("pipeline", "by steps of a pipeline", (_C.PIPELINES,), "Steps have resources and a cache of their own."),
        Choice("trials", "by many trials in parallel", (_C.TUNING,), "Trials run in parallel, within a budget."),
        Choice("elsewhere", "on another platform"),
    )),
    OneOf("ci", SYSTEM, "What tests its code?", NONE, (
        Choice(NONE, "nothing yet"),
        Choice("github", "GitHub Actions", (_C.TESTS,), "Its tests run before training."),
        Choice("gitlab", "GitLab CI", (_C.TESTS,), "Its tests run before training."),
        Choice("other", "another one", (_C.TESTS,), "Its tests run before training."),
    )),
    OneOf("framework", SYSTEM, "What is it built with?", "scikit-learn", (
        Choice("scikit-learn", "scikit-learn"),
        Choice("xgboost", "XGBoost or LightGBM"),
        Choice("pytorch", "PyTorch"),
        Choice("tensorflow", "TensorFlow"),
        Choice("other", "another one"),
    )),
    OneOf("serving", SYSTEM, "Who waits for its answers?", "realtime", (
        Choice("realtime", "a caller, at once", (_C.SERVING,), "Programs call it."),
        Choice("batch", "no caller: a job at night", (_C.BATCH,), "A scheduled job is the simplest service."),
    )),
    OneOf("request_format", SYSTEM, "What does a request hold?", "rows", (
        Choice("rows", "rows of a table"), Choice("text", "text"), Choice("image", "images"),
    )),
    OneOf("traffic", SYSTEM, "How is traffic moved to a new version?", "all_at_once", (
        Choice("all_at_once", "all of it, by a person's decision", (_C.RELEASE,), "A person decides, and can go back."),
        Choice("shadow", "a copy first, answers unused", (_C.ROLLOUT,), "Champion and challenger are compared live."),
        Choice("canary", "step by step", (_C.ROLLOUT,), "Champion and challenger are compared live."),
        Choice("ab", "by a fixed share", (_C.ROLLOUT,), "Champion and challenger are compared live."),
        Choice("bandit", "by what works better", (_C.BANDIT,), "Traffic finds the better model by itself."),
    )),
    OneOf("learning", SYSTEM, "Does it learn while it answers?", "offline", (
        Choice("offline", "no: it is retrained"),
        Choice("online", "yes, from each answer", (_C.ONLINE_LEARNING,), "Each step of learning can be taken back."),
    )),
    OneOf("retraining", SYSTEM, "How fast must a new model be there when the world changes?", "weeks", (
        Choice("weeks", "within weeks: a person attends to it"),
        Choice("days", "within days", (_C.PIPELINES,), "A schedule trains without a person."),
        Choice("hours", "within hours", (_C.RETRAINING,), "An alert starts the next model."),
    )),
    OneOf("outliers", SYSTEM, "Must unusual inputs be noticed?", "no", (
        Choice("no", "no"),
        Choice("noticed", "yes, in hindsight", (_C.MONITORING,), "Outliers show in what was recorded."),
        Choice("held", "yes, and a person decides then", (_C.MONITORING, _C.FALLBACK),
               "A person takes over when the model is unsure."),
    )),
    OneOf("explanation", SYSTEM, "Must its answers be explained?", "no", (
        Choice("no", "no"),
        Choice("each", "each of them, with the answer", (_C.EXPLANATION,), "People may ask why."),
    )),
)  # fmt: skip

BY_ID: dict[str, Question] = {question.id: question for question in QUESTIONS}
