"""What the sample letters say. Everybody in them is made up; nothing here is clinical advice."""

from typing import Final

from console.letters.headings import medicines, results, section

PNEUMONIA: Final = (
    section("Admission details", "Emergency admission by ambulance from home to Ward 7, 6 March 2026."),
    section("Presenting complaints or issues", "Five days of productive cough, fever and increasing breathlessness."),
    section(
        "Diagnoses",
        "Community-acquired pneumonia, right lower lobe (CURB-65 score 2).",
        "Acute kidney injury, stage 1, resolving.",
    ),
    section(
        "Relevant past medical, surgical and mental health history",
        "Hypertension. Osteoarthritis of both knees. Never smoked.",
    ),
    section(
        "Clinical summary",
        "On arrival temperature 38.6 °C, respiratory rate 24, oxygen saturation 90% on air. Treated with intravenous "
        "amoxicillin for two days, then by mouth, with doxycycline; a macrolide was avoided because of allergy.",
        "Oxygen was stopped on day 3. Ramipril was withheld because of the kidney injury. Mobile with a stick as "
        "before, and eating and drinking well at discharge.",
    ),
    results(
        ("Chest X-ray", "06/03/2026", "Consolidation of the right lower lobe, no effusion"),
        ("C-reactive protein", "06/03/2026", "184 mg/L; 42 mg/L on 10/03/2026"),
        ("Creatinine", "06/03/2026", "126 micromol/L; 96 on 10/03/2026 (baseline 82)"),
        ("Blood cultures", "06/03/2026", "No growth after 5 days"),
    ),
    section("Allergies and adverse reactions", "Erythromycin: widespread rash (2009). No other known allergies."),
    medicines(
        ("Amoxicillin 500 mg capsules", "One capsule three times a day by mouth", "New: until 12/03/2026"),
        ("Doxycycline 100 mg capsules", "One capsule once a day by mouth", "New: until 12/03/2026"),
        ("Amlodipine 5 mg tablets", "One tablet in the morning", "Continued"),
        ("Ramipril 2.5 mg capsules", "One capsule in the morning", "Withheld: see actions for the GP"),
        ("Paracetamol 500 mg tablets", "Two tablets up to four times a day", "Continued, as needed"),
    ),
    section(
        "Plan and requested actions",
        "GP: please check kidney function in one week, and restart ramipril if creatinine is below 100 micromol/L.",
        "Hospital: chest X-ray and clinic review in six weeks; the appointment has been sent.",
    ),
    section(
        "Information and advice given",
        "Mrs Fenwick knows to seek help for new breathlessness, confusion or fever, and that tiredness and cough may "
        "last for several weeks.",
    ),
    section("Social context", "Lives alone in a bungalow. Her daughter visits daily. No package of care needed."),
    section("Discharge details", "Discharged home on 11 March 2026, usual place of residence."),
)

CHEST_CLINIC: Final = (
    section("Attendance details", "Seen in the respiratory follow-up clinic on 22 April 2026, with her daughter."),
    section("Diagnoses", "Community-acquired pneumonia, right lower lobe, March 2026: resolved."),
    section(
        "History",
        "Back to her usual walking distance. Cough settled after four weeks. No weight loss, no blood in the sputum.",
    ),
    results(
        ("Chest X-ray", "22/04/2026", "Complete clearing of the right lower lobe; no mass"),
        ("Oxygen saturation", "22/04/2026", "97% on air at rest"),
        ("Creatinine (by GP)", "18/03/2026", "84 micromol/L"),
    ),
    section("Allergies and adverse reactions", "Erythromycin: widespread rash (2009)."),
    medicines(
        ("Ramipril 2.5 mg capsules", "One capsule in the morning", "Restarted by GP on 20/03/2026"),
        ("Amlodipine 5 mg tablets", "One tablet in the morning", "Continued"),
    ),
    section(
        "Plan and requested actions",
        "Discharged from the clinic. GP: please offer the pneumococcal vaccine, which she has not had.",
    ),
    section("Information and advice given", "Result of the X-ray explained; she may return to all her activities."),
)

HIP_REPLACEMENT: Final = (
    section("Admission details", "Planned admission to Ward 3 (Orthopaedics) on 3 February 2026."),
    section("Diagnoses", "Osteoarthritis of the left hip."),
    section(
        "Procedures",
        "Cemented total replacement of the left hip on 3 February 2026, spinal anaesthesia, no complications.",
    ),
    section(
        "Relevant past medical, surgical and mental health history",
        "Type 2 diabetes, diet controlled. Gout. Appendicectomy 1968.",
    ),
    section(
        "Clinical summary",
        "Walked with a frame on the day of the operation and with two crutches from day 2. Stairs were managed with "
        "the physiotherapist on day 3. The wound was dry and clean at discharge.",
    ),
    results(
        ("Haemoglobin", "05/02/2026", "108 g/L (132 g/L before the operation)"),
        ("X-ray of pelvis", "04/02/2026", "Satisfactory position of both components"),
        ("HbA1c", "12/01/2026", "46 mmol/mol"),
    ),
    section("Allergies and adverse reactions", "No known allergies."),
    medicines(
        ("Apixaban 2.5 mg tablets", "One tablet twice a day", "New: until 10/03/2026, then stop"),
        ("Paracetamol 500 mg tablets", "Two tablets four times a day", "New: two weeks"),
        ("Codeine 30 mg tablets", "One tablet up to four times a day", "New: as needed, five days supplied"),
        ("Senna 7.5 mg tablets", "Two tablets at night", "New: while taking codeine"),
        ("Allopurinol 100 mg tablets", "One tablet once a day", "Continued"),
    ),
    section(
        "Plan and requested actions",
        "Practice nurse: please remove the clips on 17 February 2026.",
        "GP: please repeat haemoglobin in two weeks, and avoid anti-inflammatory medicines while on apixaban.",
        "Hospital: orthopaedic clinic in six weeks.",
    ),
    section(
        "Information and advice given",
        "Hip precautions for twelve weeks. Seek help at once for calf swelling, chest pain, breathlessness, or a wound "
        "that becomes red or leaks. No driving for six weeks.",
    ),
    section("Social context", "Lives with his wife. Raised toilet seat and perching stool have been delivered."),
    section("Discharge details", "Discharged home on 6 February 2026 with community physiotherapy."),
)

HIP_CLINIC: Final = (
    section("Attendance details", "Seen in the orthopaedic clinic on 19 March 2026, six weeks after hip replacement."),
    section("Procedures", "Cemented total replacement of the left hip, 3 February 2026."),
    section("History", "Free of pain at rest. Walks half a mile with one stick. Sleeping well. No calf swelling."),
    section("Assessment", "Wound healed. Flexion 95 degrees, legs of equal length. Walks without a limp."),
    results(
        ("X-ray of left hip", "19/03/2026", "No loosening, no change in position"),
        ("Haemoglobin (by GP)", "20/02/2026", "121 g/L"),
    ),
    section("Allergies and adverse reactions", "No known allergies."),
    medicines(
        ("Apixaban 2.5 mg tablets", "None", "Stopped as planned on 10/03/2026"),
        ("Paracetamol 500 mg tablets", "Two tablets up to four times a day", "As needed"),
        ("Allopurinol 100 mg tablets", "One tablet once a day", "Continued"),
    ),
    section("Plan and requested actions", "Hospital: X-ray and clinic in twelve months. GP: no action is needed."),
    section("Information and advice given", "May drive again. To keep to the hip precautions until 28 April 2026."),
)

ASTHMA: Final = (
    section("Admission details", "Emergency admission through the Emergency Department to Ward 5, 14 January 2026."),
    section(
        "Presenting complaints or issues",
        "Two days of wheeze and breathlessness after a cold; reliever needed every two hours.",
    ),
    section("Diagnoses", "Acute severe asthma."),
    section(
        "Relevant past medical, surgical and mental health history",
        "Asthma since childhood; one course of oral steroids in the last year; never in intensive care. Eczema.",
    ),
    section(
        "Clinical summary",
        "Peak flow 190 L/min on arrival (45% of her best, 420), respiratory rate 26, oxygen saturation 93% on air. "
        "Treated with oxygen, nebulised salbutamol and ipratropium, and prednisolone. Off nebulisers for 24 hours "
        "before discharge, with a peak flow of 345 L/min (82% of her best).",
    ),
    results(
        ("Chest X-ray", "14/01/2026", "Hyperinflated, no consolidation, no pneumothorax"),
        ("Blood eosinophils", "14/01/2026", "0.5 x 10^9/L"),
        ("Influenza and SARS-CoV-2 PCR", "14/01/2026", "Not detected"),
    ),
    section("Allergies and adverse reactions", "Grass pollen: rhinitis. No known drug allergies."),
    medicines(
        ("Prednisolone 5 mg tablets", "Eight tablets (40 mg) each morning", "New: until 18/01/2026, then stop"),
        (
            "Beclometasone/formoterol 100/6 inhaler",
            "One puff twice a day, and one as needed; at most 8 puffs a day",
            "New",
        ),
        ("Salbutamol 100 micrograms inhaler", "None", "Stopped: replaced by the inhaler above"),
        ("Cetirizine 10 mg tablets", "One tablet once a day", "Continued"),
    ),
    section(
        "Plan and requested actions",
        "GP: please review within two working days, and check inhaler technique.",
        "Hospital: asthma clinic in four weeks.",
    ),
    section(
        "Information and advice given",
        "Written asthma action plan given and explained. Inhaler technique checked and good. Advised to ask for the "
        "influenza vaccine each autumn.",
    ),
    section(
        "Patient and carer concerns",
        "Miss O'Dell-Marsh was worried about returning to work in a bakery; this will be discussed in clinic.",
    ),
    section("Discharge details", "Discharged home on 16 January 2026."),
)

ASTHMA_CLINIC: Final = (
    section("Attendance details", "Seen in the asthma clinic on 18 February 2026."),
    section("Diagnoses", "Asthma, well controlled since discharge (Asthma Control Test 22 of 25)."),
    section(
        "History",
        "No night waking. Uses the inhaler as needed about twice a week. Symptoms are no worse on working days, and "
        "peak flow readings at home and at work do not differ.",
    ),
    results(
        ("Peak flow", "18/02/2026", "410 L/min"),
        ("Fractional exhaled nitric oxide", "18/02/2026", "24 parts per billion"),
        ("FEV1", "18/02/2026", "94% of predicted"),
    ),
    section("Allergies and adverse reactions", "Grass pollen: rhinitis. No known drug allergies."),
    medicines(
        (
            "Beclometasone/formoterol 100/6 inhaler",
            "One puff twice a day, and one as needed; at most 8 puffs a day",
            "Continued",
        ),
        ("Cetirizine 10 mg tablets", "One tablet once a day", "Continued"),
    ),
    section(
        "Plan and requested actions",
        "Discharged to the care of the GP with a yearly asthma review. Refer again after any further attack.",
    ),
    section("Information and advice given", "Action plan reviewed. No evidence that flour at work is a cause."),
)
