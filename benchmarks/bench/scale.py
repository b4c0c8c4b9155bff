"""A large catalog on PostgreSQL: filled by CatalogFill, then searched and written through a node of ours. No peer: the figures stand beside those of 1,000 studies."""
import gc
import os
import random
import shutil
import time

import qidostow
import servers
import synthetic
from association import Association, implicit
from postgres import Postgres
from product import Fill
from sections import percentile, say

SMALL = 1000
INSTANCES = 20
CLIENTS = 8
ARGUMENTS = {}

# Nothing is lost but time when a fill breaks off; what is measured runs durable, with PostgreSQL's defaults beside these.
FILLING = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "wal_level=minimal", "max_wal_senders=0", "max_wal_size=2GB", "checkpoint_timeout=1h", "autovacuum=off",
           "shared_buffers=1GB", "wal_buffers=64MB"]
SERVING = ["shared_buffers=2GB", "effective_cache_size=12GB", "random_page_cost=1.1", "max_wal_size=4GB"]

RETURNS = [0x00080020, 0x00080030, 0x00080050, 0x00080061, 0x00080090, 0x00081030, 0x00100010, 0x00100020, 0x00100030, 0x00100040, 0x0020000D, 0x00200010, 0x00201206, 0x00201208]

# Families with 20 studies: their names' prefix, and the middle of it. The generator puts two letters behind a family's name.
FAMILY = ("SELECT left(split_part(p.patient_name_folded, '^', 1), 30) FROM patient p JOIN study s ON s.patient_key = p.patient_key WHERE p.patient_name_folded ~ '^[a-z'']+\\^' "
          "GROUP BY 1 HAVING count(*) BETWEEN 18 AND 22 ORDER BY md5(left(split_part(p.patient_name_folded, '^', 1), 30)) LIMIT 100")
STUDIES = " FROM study s JOIN patient p ON p.patient_key = s.patient_key ORDER BY md5(s.study_instance_uid) LIMIT 300"
MIDDLE = "SELECT %s FROM study s JOIN patient p ON p.patient_key = s.patient_key WHERE s.modalities_in_study = '%s' ORDER BY md5(s.study_instance_uid) LIMIT 100"

# Row, bound on p99 in ms (None: shown only), keys with the sampled value in place of *, and the SQL that samples values.
FINDS = [
    ("Patient ID", 20, "00100020={}", "SELECT p.patient_id" + STUDIES),
    ("Study Instance UID", 20, "0020000D={}", "SELECT s.study_instance_uid" + STUDIES),
    ("Accession Number", 20, "00080050={}", "SELECT s.accession_number" + STUDIES),
    ("Patient's Name, whole, of one to a few", 20, "00100010={}",
     "SELECT min(p.patient_name) FROM patient p GROUP BY p.patient_name_folded HAVING count(*) < 5 ORDER BY md5(min(p.patient_name)) LIMIT 300"),
    ("family name and *, 20 hits", 50, "00100010={}*", FAMILY),
    ("* family name *, 20 hits", 50, "00100010=*{}*", FAMILY),
    ("Patient's Birth Date", 20, "00100030={}", "SELECT p.patient_birth_date" + STUDIES),
    ("Study Date of a week and modality PT", 20, "00080020={}|00080061=PT",
     MIDDLE.replace("%s", "s.study_date || '-' || to_char(s.study_date::date + 6, 'YYYYMMDD')", 1) % "CT\\PT"),
    ("Study Date of a day and modality MG", 20, "00080020={}|00080061=MG", MIDDLE.replace("%s", "s.study_date", 1) % "MG"),
    ("Referring Physician, whole, and a year", 20, "00080090={}|00080020=20240101-20241231", "SELECT s.referring_physician_name" + STUDIES),
    ("Study ID", 20, "00200010={}", "SELECT s.study_id FROM study s WHERE s.study_id <> '1' ORDER BY md5(s.study_instance_uid) LIMIT 300"),
    ("part of an Accession Number", 50, "00080050=*{}", "SELECT right(s.accession_number, 8)" + STUDIES),
    ("Patient ID with a wildcard in front", 50, "00100020=*{}", "SELECT right(p.patient_id, 7)" + STUDIES),
    ("family name in another script, and a year", None, "00100010={}*|00080020=20240101-20241231",
     "SELECT DISTINCT split_part(p.patient_name, '^', 1) FROM patient p WHERE p.patient_name ~ '^[^a-zA-Z]{3}' LIMIT 20"),
    ("Study Date of a day, all answers", None, "00080020={}", "SELECT s.study_date" + STUDIES),
    ("Study Date of a month, all answers", None, "00080020={}01-{}28", "SELECT left(s.study_date, 6)" + STUDIES.replace("300", "10")),
]

# Row, path, SQL; answers of up to 25.
QIDOS = [
    ("Patient ID", "PatientID={}", "SELECT p.patient_id" + STUDIES),
    ("Study Instance UID", "StudyInstanceUID={}", "SELECT s.study_instance_uid" + STUDIES),
    ("Accession Number", "AccessionNumber={}", "SELECT s.accession_number" + STUDIES),
    ("family name and *, limit 25", "PatientName={}*&limit=25", FAMILY),
    ("* family name *, limit 25", "PatientName=*{}*&limit=25", FAMILY),
    ("PatientName=S*, limit 25", "PatientName=S*&limit=25", "SELECT 1"),
    ("PatientName=Smith*, limit 25", "PatientName=Smith*&limit=25", "SELECT 1"),
    ("*a*, limit 25", "PatientName=*a*&limit=25", "SELECT 1"),
    ("a day, limit 25", "StudyDate={}&limit=25", "SELECT s.study_date" + STUDIES),
    ("a month and MR, limit 25", "StudyDate={}01-{}28&ModalitiesInStudy=MR&limit=25", "SELECT left(s.study_date, 6)" + STUDIES),
    ("modality SR, limit 25", "ModalitiesInStudy=SR&limit=25", "SELECT 1"),
    ("five years, limit 25", "StudyDate=20200101-20241231&limit=25", "SELECT 1"),
    ("the newest 25", "limit=25", "SELECT 1"),
]
QIDO_KEYS = {"PatientID": "00100020", "StudyInstanceUID": "0020000D", "AccessionNumber": "00080050", "PatientName": "00100010", "StudyDate": "00080020", "ModalitiesInStudy": "00080061"}


def load_now():
    return "load %.1f" % os.getloadavg()[0]


def identifier(keys):
    values = {tag: b"" for tag in RETURNS}
    values[0x00080005] = b"ISO_IR 192"
    values[0x00080052] = b"STUDY"
    for key in keys.split("|"):
        tag, value = key.split("=", 1)
        values[int(tag, 16)] = value.encode()
    return b"".join(implicit(tag >> 16, tag & 0xFFFF, value) for tag, value in sorted(values.items()))


def spelled(count):
    return format(count, ",")


def fill(bench, generator, postgres, count):
    """Makes both catalogs, and says how long the large one took."""
    postgres.create()
    postgres.start(*FILLING)
    for database, studies in (("small", SMALL), ("large", count)):
        postgres.sql("postgres", "CREATE DATABASE %s TEMPLATE template0" % database)
        started = time.time()
        say("filling %s studies" % spelled(studies))
        generator.run("fill", "--postgres", postgres.connection_string(database), "--studies", studies, "--instances", INSTANCES)
    bench.remark("Filled %s studies in %.0f s by COPY on two connections, indexes afterwards, VACUUM ANALYZE at the end, fsync off (%s)." % (spelled(count), time.time() - started, load_now()))
    postgres.stop()


def sizes(postgres):
    """Bytes and rows an instance, for cluster/SIZING.md."""
    instances = int(postgres.sql("large", "SELECT instances FROM (SELECT sum(instances) AS instances FROM total) AS t")[0][0])
    rows = postgres.sql("large", "SELECT relname, reltuples::bigint, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
                        "AND reltuples > 1000 ORDER BY pg_total_relation_size(oid) DESC")
    whole = int(postgres.sql("large", "SELECT pg_database_size('large')")[0][0])
    lines = ["The large catalog, %s instances, %.1f GB:" % (spelled(instances), whole / 1e9), "", "| table | rows | bytes an instance, table | bytes an instance, indexes |", "|---|---|---|---|"]
    lines += ["| %s | %s | %.1f | %.1f |" % (name, spelled(int(count)), int(table) / instances, int(index) / instances) for name, count, table, index in rows]
    return lines + [""]


def find(bench, server, postgres, database, count, slow):
    searches = 200 if bench.quick else 1000
    source = random.Random(1)
    for label, bound, keys, sql in FINDS:
        values = [row[0] for row in postgres.sql(database, sql) if row and row[0]]
        if not values:
            bench.remark("C-FIND %s at %s studies: no value to ask for" % (label, spelled(count)))
            continue
        association = Association(server.port, server.title)
        times, found, questions = [], 0, []
        warm = min(50, searches // 4)
        limit = time.monotonic() + (5 if bench.quick else 20)
        gc.disable()
        for number in range(searches + warm):
            asked = keys.replace("{}", source.choice(values))
            question = identifier(asked)
            started = time.perf_counter()
            answers = association.find(question)
            if number >= warm:
                times.append((time.perf_counter() - started) * 1000)
                questions.append(asked)
                found += answers
            if time.monotonic() > limit and len(times) > 20:
                break
        gc.enable()
        association.close()
        row = "C-FIND %s (%.0f answers) at %s studies" % (label, found / len(times), spelled(count))
        for share, percent in ((0.5, "p50"), (0.99, "p99")):
            bench.add("%s, %s, ms" % (row, percent), server.name, percentile(times, share))
        say("%-18s %s: p50 %.2f, p99 %.2f ms, %s%s" % (
            server.name, row, percentile(times, 0.5), percentile(times, 0.99), load_now(), "" if bound is None or percentile(times, 0.99) <= bound else ", over %d ms" % bound))
        worst = max(range(len(times)), key=times.__getitem__)
        # By the median: the longest of a thousand says more about the machine.
        slow.append((percentile(times, 0.5), "C-FIND " + label, questions[worst], 0))


WRK = """
local paths = {%s}
math.randomseed(%d)
request = function() return wrk.format("GET", paths[math.random(#paths)], {["Accept"] = "application/dicom+json"}) end
"""


def search(bench, server, postgres, database, count, slow):
    seconds = 2 if bench.quick else 10
    for label, path, sql in QIDOS:
        values = [row[0] for row in postgres.sql(database, sql) if row and row[0]]
        if not values:
            continue
        paths = ["/dicom-web/studies?" + path.replace("{}", qidostow.quoted(value)) for value in values]
        found = qidostow.matches(server, paths[0])
        script = os.path.join(server.folder, "ask.lua")
        with open(script, "w") as file:
            file.write(WRK % (", ".join('"%s"' % p for p in paths), 1))
        # The first of all waits until the code that they share is compiled.
        qidostow.wrk(server, script, 8 if label == QIDOS[0][0] and not bench.quick else 1, CLIENTS)
        rate, p50, p99, wrong = qidostow.wrk(server, script, seconds, CLIENTS)
        if wrong:
            bench.remark("QIDO-RS %s at %s studies: %d answers were no success" % (label, spelled(count), wrong))
        row = "QIDO-RS %s at %s studies, eight clients" % (label, spelled(count))
        bench.add(row + ", requests/s", server.name, rate)
        bench.add(row + ", p50, ms", server.name, p50)
        bench.add(row + ", p99, ms", server.name, p99)
        say("%-18s %s (%d answers): %.1f/s, p50 %.2f, p99 %.2f ms, %s" % (server.name, row, found, rate, p50, p99, load_now()))
        keys = "|".join("%s=%s" % (QIDO_KEYS[name], value) for name, value in (part.split("=", 1) for part in path.replace("{}", values[0]).split("&")) if name in QIDO_KEYS)
        slow.append((p50, "QIDO-RS " + label, keys, 25))


def commits(bench, generator, postgres, count):
    """The catalog's own commits, both sizes in turn."""
    for _ in range(bench.rounds):
        lines = generator.run("commits", "--postgres", postgres.connection_string("small"), "--beside", postgres.connection_string("large"),
                              "--count", 200 if bench.quick else 2000).splitlines()
        for words, studies in zip(map(str.split, lines), (SMALL, count)):
            p50, p99 = float(words[words.index("p50") + 1]), float(words[words.index("p99") + 1])
            bench.add("commit of a new study at %s studies, p50, ms" % spelled(studies), "PacsCluster", p50)
            bench.add("commit of a new study at %s studies, p99, ms" % spelled(studies), "PacsCluster", p99)
            say("commit at %s studies: p50 %.2f, p99 %.2f ms, %s" % (spelled(studies), p50, p99, load_now()))


def stores(bench, server, count):
    """C-STORE of tiny instances on one association, a new study every ten."""
    source = random.Random(time.time())
    association = Association(server.port, server.title, sop_class=synthetic.CT, transfer_syntax=synthetic.EXPLICIT_LE)
    times = []
    for number in range(300 if bench.quick else 2000):
        if number % 10 == 0:
            study, series = synthetic.Study(source.randrange(10_000_000), source), synthetic.new_uid()
        instance, data = synthetic.data_set(study, series, number, synthetic.CT, "CT", 4, 4, 1, bytes(32))
        started = time.perf_counter()
        status = association.store(instance, data)
        if number >= 100:
            times.append((time.perf_counter() - started) * 1000)
        if status != 0:
            raise SystemExit("C-STORE ended with %04X" % status)
    association.close()
    for share, percent in ((0.5, "p50"), (0.99, "p99")):
        bench.add("C-STORE of 1 KB, one association, at %s studies, %s, ms" % (spelled(count), percent), server.name, percentile(times, share))
    say("%-18s C-STORE at %s studies: p50 %.2f, p99 %.2f ms, %s" % (server.name, spelled(count), percentile(times, 0.5), percentile(times, 0.99), load_now()))


def node(bench, postgres, database):
    server = servers.PacsCluster(bench.work)
    server.settings = {"Catalog": {"ConnectionString": postgres.connection_string(database)}}
    return server


def scale(bench):
    """--scale-studies N on PostgreSQL: C-FIND by every indexed key, QIDO-RS of up to 25 answers, commits beside those at 1,000 studies, and the plans of the three slowest searches."""
    if not shutil.which("wrk"):
        raise SystemExit("wrk is missing: apt-get install wrk")
    count = 20_000 if bench.quick else bench.scale_studies
    generator = Fill(bench.work)
    folder = os.path.join(bench.work, "scale-%d" % count)
    kept = os.path.join(folder, "filled")
    postgres = Postgres(folder)
    try:
        if not os.path.exists(kept):
            shutil.rmtree(folder, ignore_errors=True)
            fill(bench, generator, postgres, count)
            open(kept, "w").close()
        postgres.start(*SERVING)
        bench.appendix += sizes(postgres)
        slow = []
        for round_number in range(bench.rounds):
            for database, studies in (("small", SMALL), ("large", count)):
                with node(bench, postgres, database) as server:
                    if database == "large":
                        find(bench, server, postgres, database, studies, slow)
                        search(bench, server, postgres, database, studies, slow)
                    stores(bench, server, studies)
        commits(bench, generator, postgres, count)
        bench.appendix += ["PostgreSQL %s; %s." % (postgres.sql("postgres", "SHOW server_version")[0][0], ", ".join(SERVING)), ""]
        shown = []
        for p50, label, keys, limit in sorted(slow, reverse=True):
            if label in shown or len(shown) == 3:
                continue
            shown.append(label)
            plan = generator.run("explain", "--postgres", postgres.connection_string("large"), "--limit", limit, "--keys", keys)
            bench.appendix += ["Plan of %s (p50 %.1f ms), `%s`:" % (label, p50, keys), "", "```", *plan.rstrip().split("\n"), "```", ""]
    finally:
        postgres.stop()
        if not bench.scale_keep:
            shutil.rmtree(folder, ignore_errors=True)


SECTIONS = {"scale": scale}
